"""Unpickles what is known and refuses every other class."""

import pickle


class Unpickler(pickle.Unpickler):
    """Looks classes up in `{"module.name": stand-in}` and imports nothing."""

    def __init__(self, file, known):
        super().__init__(file)
        self.known = known

    def find_class(self, module, name):
        if (found := self.known.get(f"{module}.{name}")) is None:
            raise pickle.UnpicklingError(f"{module}.{name} is not among the known")
        return found
