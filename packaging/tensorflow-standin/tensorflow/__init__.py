"""Inert stand-in for TensorFlow; see `tensorflow_standin` for what it does and why."""

from tensorflow_standin import install

install()
