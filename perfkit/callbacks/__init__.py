"""Watching a training run, and reacting to it."""

from perfkit.callbacks.throughput import Throughput as Throughput
