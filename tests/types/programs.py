"""Programs for the type checker; `# says:` holds words of what it must say about that line."""

from typing import assert_type

import numpy as np

import tensorem as tm
from tensorem import data, nn, optim, shapes, train, verify

layer = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
model = nn.build(layer, input=("N", 4), seed=0)
assert_type(model, nn.Model)
assert_type(model.load_state_dict({}), nn.Model)

run = train.fit(model, data.iris().train, loss="cross_entropy", optimizer=optim.adam(1e-3))
assert_type(run.model, nn.Model)
assert_type(run, train.Run)

proof = verify.robust(model, np.zeros(4, np.float32), label=1, eps="0.1")
assert_type(proof, verify.Proof)
assert_type(proof.check(), bool)
assert_type(tm.nn.Linear(4, 3).in_features, int)
assert_type(shapes.parse_size("8*N"), shapes.Size)

nn.Linear("4", 3)  # says: Argument 1 to "Linear" has incompatible type "str"
nn.Linear(4, 3, bias=0.5)  # says: Argument "bias" to "Linear" has incompatible type "float"
nn.Linear(4)  # says: Missing positional argument "out_features"
layer.layers = ()  # says: read-only
optim.adam("fast")  # says: Argument 1 to "adam" has incompatible type "str"
verify.robust(model, 0, label=1, eps=0.1, method="magic")  # says: "Literal['crown', 'ibp']"
