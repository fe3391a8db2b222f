"""Objects of ours in user code, which refuse new attributes.

An assignment such as ``ctx.state = {}`` is a common mistake: nothing would ever read its value.
"""

from __future__ import annotations

from typing import ClassVar, NoReturn

from ...errors import did_you_mean


class Sealed:
    """An object whose attributes are its slots, each set once."""

    __slots__ = ()
    _name: ClassVar[str]
    """The name that user code has for it: ``ctx.fs``."""

    def _way(self, name: str) -> str:
        """Return what to do instead of assigning an attribute of this name."""
        return f"To keep a value, set a key: ctx.state.set({name!r}, value), or ctx.vol.set({name!r}, value)."

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__slots__ or self._has(name):
            raise AttributeError(f"{self._called}.{name} can't be assigned: nothing would read it. {self._way(name)}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self._called}.{name} can't be deleted. {self._way(name)}")

    def __getattr__(self, name: str) -> NoReturn:
        has = [known for known in dir(type(self)) if not known.startswith("_")]
        near = did_you_mean(name, has) or f" It has {', '.join(has)}."
        raise AttributeError(f"{self._called} has no attribute {name!r}.{near}{self._read(name)}")

    def _read(self, name: str) -> str:
        """Return what else a name after the dot may have meant."""
        return ""

    def _has(self, name: str) -> bool:
        # hasattr would come to __getattr__ above, which looks for similar names.
        try:
            object.__getattribute__(self, name)
        except AttributeError:
            return False
        return True

    @property
    def _called(self) -> str:
        return self._name
