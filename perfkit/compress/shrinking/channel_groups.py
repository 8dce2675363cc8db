"""Which channels of a model can be taken out, and what keeps the others."""

import dataclasses

from perfkit.graph.channels import Group, read_channels


@dataclasses.dataclass(frozen=True)
class ChannelGroup:
    """Layers whose channels can only be taken out together.

    Attributes:
        layers: Paths of the layers that make the channels.
        channels: How many there are.
        free: How many of them can be taken out.
        reasons: Why others have to stay.

    Example:
        >>> print(ChannelGroup(("left", "right"), 8, 8, ()))
             8 channels,      8 free   left, right
    """

    layers: tuple[str, ...]
    channels: int
    free: int
    reasons: tuple[str, ...]

    def __str__(self):
        names = ", ".join(self.layers)
        text = f"{self.channels:6} channels, {self.free:6} free   {names}"
        return f"{text}\n{' ' * 31}{'; '.join(self.reasons)}" if self.reasons else text


@dataclasses.dataclass(frozen=True)
class ChannelGroups:
    """What `channel_groups` found; print it.

    Attributes:
        groups: The groups, in the order of the model.

    Example:
        >>> print(ChannelGroups((ChannelGroup(("left", "right"), 8, 8, ()),)))
        8 of 8 channels in 1 groups can be cut
             8 channels,      8 free   left, right
    """

    groups: tuple[ChannelGroup, ...]

    def __str__(self):
        free = sum(group.free for group in self.groups)
        total = sum(group.channels for group in self.groups)
        head = f"{free} of {total} channels in {len(self.groups)} groups can be cut"
        return "\n".join([head, *map(str, self.groups)])


def channel_groups(model) -> ChannelGroups:
    """Return which channels `shrink` can take out, and why others have to stay.

    Layers whose outputs are added or multiplied lose the same channels. They are one
    group.

    Args:
        model: A built Functional or Sequential model; models may be nested in it.

    Returns:
        `ChannelGroups`, a `ChannelGroup` for each group of layers; print it.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If the model is neither Functional nor Sequential, or not built.

    Example:
        >>> import keras
        >>> inputs = keras.Input((4,))
        >>> left = keras.layers.Dense(8, name="left")(inputs)
        >>> right = keras.layers.Dense(8, name="right")(inputs)
        >>> both = keras.layers.Add()([left, right])
        >>> last = keras.layers.Dense(2, name="last")(both)
        >>> for group in channel_groups(keras.Model(inputs, last)).groups:
        ...     print(group.layers, group.channels, group.free)
        ('left', 'right') 8 8
        ('last',) 2 0

    Reference: Fang et al., DepGraph: Towards Any Structural Pruning, 2023, arXiv
        2301.12900, which finds such groups by a matrix of dependencies between layers;
        here channels are labelled.
    """
    found = read_channels("channel_groups", model).groups()
    return ChannelGroups(tuple(map(summary, found)))


def summary(group: Group) -> ChannelGroup:
    """Return what there is to say of a group."""
    free = int(group.free.sum())
    return ChannelGroup(group.paths, len(group.channels), free, group.reasons)
