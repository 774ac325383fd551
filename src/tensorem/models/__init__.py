"""Models as functions that return layers: small, whole, under the names that others gave them."""

from ._autoencoder import VAE as VAE
from ._autoencoder import autoencoder as autoencoder
from ._autoencoder import elbo as elbo
from ._autoencoder import vae as vae
from ._bert import BERT as BERT
from ._bert import MeanPooled as MeanPooled
from ._bert import bert as bert
from ._convnext import convnext_tiny as convnext_tiny
from ._denoiser import denoising_mlp as denoising_mlp
from ._denoiser import denoising_unet as denoising_unet
from ._diffusion import Diffusion as Diffusion
from ._diffusion import denoising as denoising
from ._fno import SpectralConv as SpectralConv
from ._fno import fno as fno
from ._gan import discriminator as discriminator
from ._gan import generator as generator
from ._gcn import GraphConvolution as GraphConvolution
from ._gcn import gcn as gcn
from ._gpt import GPT as GPT
from ._gpt import SIZES as SIZES
from ._gpt import gpt2 as gpt2
from ._lenet import lenet as lenet
from ._mae import MAE as MAE
from ._mae import MAEFeatures as MAEFeatures
from ._mae import mae as mae
from ._mae import mae_objective as mae_objective
from ._mamba import StateSpaceLM as StateSpaceLM
from ._mamba import mamba_lm as mamba_lm
from ._mixer import mlp_mixer as mlp_mixer
from ._mlp import mlp as mlp
from ._mlp import pinn as pinn
from ._ppo import discounted_returns as discounted_returns
from ._ppo import gae as gae
from ._ppo import ppo_actor as ppo_actor
from ._ppo import ppo_clip as ppo_clip
from ._ppo import ppo_critic as ppo_critic
from ._pretrained import BERT_NAMES as BERT_NAMES
from ._pretrained import GPT2_NAMES as GPT2_NAMES
from ._pretrained import load_bert as load_bert
from ._pretrained import load_gpt2 as load_gpt2
from ._recurrent import RecurrentClassifier as RecurrentClassifier
from ._recurrent import RecurrentLM as RecurrentLM
from ._recurrent import recurrent_classifier as recurrent_classifier
from ._recurrent import recurrent_lm as recurrent_lm
from ._resnet import ResNet as ResNet
from ._resnet import resnet18 as resnet18
from ._resnet import resnet34 as resnet34
from ._resnet import resnet50 as resnet50
from ._s4 import S4D as S4D
from ._s4 import s4_classifier as s4_classifier
from ._s4 import s4_lm as s4_lm
from ._sample import ddim as ddim
from ._sample import ddpm as ddpm
from ._schedule import Schedule as Schedule
from ._schedule import cosine_schedule as cosine_schedule
from ._schedule import linear_schedule as linear_schedule
from ._schedule import noised as noised
from ._seq2seq import Seq2Seq as Seq2Seq
from ._seq2seq import seq2seq as seq2seq
from ._seq2seq import translate as translate
from ._unet import unet as unet
from ._vit import VisionTransformer as VisionTransformer
from ._vit import vit as vit
from ._vit import vit_b_16 as vit_b_16
from ._vq_vae import VQVAE as VQVAE
from ._vq_vae import Codebook as Codebook
from ._vq_vae import vq_objective as vq_objective
from ._vq_vae import vq_vae as vq_vae

__all__ = [
    "BERT",
    "BERT_NAMES",
    "Codebook",
    "Diffusion",
    "GPT",
    "GPT2_NAMES",
    "GraphConvolution",
    "MAE",
    "MAEFeatures",
    "MeanPooled",
    "RecurrentClassifier",
    "RecurrentLM",
    "ResNet",
    "S4D",
    "SIZES",
    "Schedule",
    "Seq2Seq",
    "SpectralConv",
    "StateSpaceLM",
    "VAE",
    "VQVAE",
    "VisionTransformer",
    "autoencoder",
    "bert",
    "convnext_tiny",
    "cosine_schedule",
    "ddim",
    "ddpm",
    "denoising",
    "denoising_mlp",
    "denoising_unet",
    "discounted_returns",
    "discriminator",
    "elbo",
    "fno",
    "gae",
    "gcn",
    "generator",
    "gpt2",
    "lenet",
    "linear_schedule",
    "load_bert",
    "load_gpt2",
    "mae",
    "mae_objective",
    "mamba_lm",
    "mlp",
    "mlp_mixer",
    "noised",
    "pinn",
    "ppo_actor",
    "ppo_clip",
    "ppo_critic",
    "recurrent_classifier",
    "recurrent_lm",
    "resnet18",
    "resnet34",
    "resnet50",
    "s4_classifier",
    "s4_lm",
    "seq2seq",
    "translate",
    "unet",
    "vae",
    "vit",
    "vit_b_16",
    "vq_objective",
    "vq_vae",
]
