"""How a page looks: on white and on black, on wide screens and on narrow ones."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6576; --line: #e3e6ec; --paper: #fff;
  --blue: #2563c9; --sky: #8db4f0; --grey: #c3c9d4; --red: #c8413b; --amber: #b8720c;
  --green: #23824d; --plum: #8d4bbb; --teal: #0f7f8c }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #a3adbd; --line: #2b3342;
  --paper: #12161f; --blue: #6ea3f5; --sky: #345b96; --grey: #4a5365; --red: #e5736d;
  --amber: #dfa04a; --green: #5fbd86; --plum: #c08ae6; --teal: #4fb9c6 } }
body { max-width: 62rem; margin: 2.5rem auto; padding: 0 1.25rem; color: var(--ink);
  background: var(--paper); font: 15px/1.55 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2.4rem 0 .6rem }
h3 { font-size: .95rem; margin: 1.6rem 0 .5rem }
p, .soft { color: var(--soft) } .small { font-size: 12px; margin: .2rem 0 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal }
th, td { text-align: left; padding: .28rem 1.1rem .28rem 0; border-bottom: 1px solid var(--line) }
.config td { overflow-wrap: anywhere; vertical-align: top }
.config td:first-child { white-space: nowrap }
th { font-weight: 600; color: var(--soft) }
td.n, th.n, .model :is(td, thead th):nth-child(n+5), tfoot th:last-child { text-align: right }
.model td, .model th { white-space: nowrap }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
td.n, th.n { padding-right: .7rem }
.two td, .two th { padding-right: .45rem; font-size: 14px }
.two { display: flex; flex-wrap: wrap; gap: 1.5rem }
.two > * { flex: 1 1 min(22rem, 100%); min-width: 0 }
.cards, .charts { display: grid; gap: 1.5rem }
.charts { grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)) }
.cards { grid-template-columns: repeat(auto-fill, minmax(min(14rem, 100%), 1fr)) }
figure { margin: 0; min-width: 0; max-width: 34rem }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem }
svg { display: block; width: 100%; height: auto }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft) }
.grid { stroke: var(--line) } .line { fill: none; stroke-width: 2; stroke-linejoin: round }
.zero { stroke: var(--soft); stroke-dasharray: 3 3 } .line.val { stroke-dasharray: 6 3 }
.frame { fill: none; stroke: var(--grey) } .pixels, .case img { image-rendering: pixelated }
svg text.on { fill: #fff } svg text.off { fill: var(--ink) }
.c0 { --c: var(--blue) } .c1 { --c: var(--amber) } .c2 { --c: var(--red) }
.c3 { --c: var(--green) } .c4 { --c: var(--plum) } .c5 { --c: var(--teal) }
.ibp { --c: var(--blue) } .crown { --c: var(--sky) } .unknown { --c: var(--grey) }
.refuted { --c: var(--red) }
.line { stroke: var(--c) } .dot, path, rect.ibp, rect.crown, rect.unknown, rect.refuted
  { fill: var(--c) } i { background: var(--c) }
.legend { display: flex; flex-wrap: wrap; gap: 0 .9rem; color: var(--soft) }
.legend span { white-space: nowrap }
.legend i { display: inline-block; width: .7em; height: .7em; border-radius: 2px;
  margin-right: .35em }
.cases { display: flex; flex-wrap: wrap; gap: 1.4rem } .case { font-size: 13px; max-width: 16.6rem }
.case img { width: 5.2rem; border: 1px solid var(--line); margin-right: .3rem }
"""
