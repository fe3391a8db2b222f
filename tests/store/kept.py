"""Classes whose values are stored. They stand in a module, as a user's do: they have to be found again by name."""

from __future__ import annotations

import enum
from collections import namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretStr, computed_field

T = TypeVar("T")
U = TypeVar("U")


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Planet(enum.Enum):
    """Its values are no JSON, or null."""

    EARTH = (5.97e24, 6.37e6)
    MARS = Decimal("1.50")
    NONE = None
    DAY = date(2026, 1, 1)
    OBJECT = object()


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Todo(BaseModel):
    title: str
    due: date | None = None
    tags: set[str] = set()
    price: Decimal = Decimal(0)


class Base(BaseModel):
    a: int = 1


class Derived(Base):
    b: int = 2


class Holder(BaseModel):
    base: Base = Base()
    anything: Any = None


class Page(BaseModel, Generic[T]):
    items: list[T]


class Pair(BaseModel, Generic[T, U]):
    one: T
    other: U


class Words(RootModel[list[str]]): ...


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int = 1


class Closed(BaseModel):
    """Its JSON with what is computed would be refused by itself."""

    model_config = ConfigDict(extra="forbid")
    a: int = 1

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no property below a decorator
    @property
    def double(self) -> int:
        return self.a * 2


class Aliased(BaseModel):
    name: str = Field(alias="theName")
    other: int = Field(1, validation_alias="in", serialization_alias="out")


class Secret(BaseModel):
    token: SecretStr


class Excluded(BaseModel):
    kept: int = 1
    lost: int = Field(0, exclude=True)


class Private(BaseModel):
    a: int = 1
    _hidden: int = 0


class Raw(BaseModel):
    data: bytes = b""


@dataclass
class Item:
    name: str
    when: datetime | None = None
    parts: list[Todo] = field(default_factory=list)
    size: int = field(init=False, default_factory=lambda: 3)
    double: int = field(init=False)

    def __post_init__(self) -> None:
        self.double = len(self.name) * 2


@dataclass(frozen=True, slots=True)
class Frozen:
    a: tuple[int, ...]
    colour: Colour


@dataclass
class Loose:
    any: Any


class Point(NamedTuple):
    x: int
    y: Decimal = Decimal(1)


Plain = namedtuple("Plain", "a b")  # users write it so


class Outer:
    class Inner(BaseModel):
        a: int = 1


Choice = Literal["a", "b"]


class Text(str): ...


class Number(float): ...


class Names(list[str]): ...
