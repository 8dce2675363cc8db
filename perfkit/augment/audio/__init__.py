"""Layers that change audio: waveforms and spectrograms."""
