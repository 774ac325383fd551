"""The networks in plain JAX, as an engineer who knows XLA:CPU would write them by hand."""

from functools import partial

from . import cnn, denoiser, heat, images, mlp, sequences, transformers

NETWORKS = {
    "mlp": mlp.train,
    "mnist": mlp.train,
    "cnn": cnn.train,
    "color": images.color,
    "resnet": partial(images.resnet, 16),
    "wide": partial(images.resnet, 64),
    "vit": transformers.vit,
    "gpt": transformers.gpt,
    "lstm": partial(sequences.recurrent, "lstm"),
    "gru": partial(sequences.recurrent, "gru"),
    "ssm": sequences.ssm,
    "pinn": heat.pinn,
    "mae": transformers.mae,
    "diffusion": denoiser.diffusion,
}
