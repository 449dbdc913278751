"""Reading the mapping files in `sources/`: what a company's system calls the things that this project knows.

Every mistake is told with its file and line, all of them at once.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from retention.sources.entity import SourceError

Place = tuple[str | int, ...]


class Mapping(BaseModel):
    """A part of a mapping file. A misspelt name is an error, not a setting without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Mapping)


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"{value!r} is not an IANA time zone name such as Europe/Moscow")
    return value


TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""The IANA name of a time zone."""


class MappingFile:
    """A parsed mapping file that knows on which line each of its values stands."""

    def __init__(self, path: Path) -> None:
        """Raises SourceError when the file cannot be read or is no YAML."""
        self.path = path
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}. The examples in sources/ show what belongs there.") from None
        except UnicodeDecodeError:
            raise SourceError(f"{path}: the file is not UTF-8") from None
        except yaml.YAMLError as error:
            raise _no_yaml(path, error) from None
        self._lines: dict[Place, int] = {(): 1}
        self._doubled: list[tuple[Place, str]] = []
        try:
            self.content: Any = self._value(node, ()) if node is not None else {}
        except yaml.YAMLError as error:
            raise _no_yaml(path, error) from None

    def _value(self, node: yaml.Node, place: Place) -> Any:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            content: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    raise yaml.MarkedYAMLError(
                        problem="<< is not read; repeat the lines", problem_mark=key_node.start_mark
                    )
                if not isinstance(key_node, yaml.ScalarNode):
                    raise yaml.MarkedYAMLError(problem="a name must be a text", problem_mark=key_node.start_mark)
                key = self._value(key_node, (*place, "<key>", key_node.start_mark.line))
                inner = (*place, str(key))
                if key in content:
                    self._doubled.append(((*inner, "<again>"), f"{key} is there twice"))
                    self._lines[(*inner, "<again>")] = key_node.start_mark.line + 1
                self._lines.setdefault(inner, key_node.start_mark.line + 1)
                content[key] = self._value(value_node, inner)
            return content
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, number)) for number, item in enumerate(node.value)]
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node)
        finally:
            loader.dispose()

    def line(self, *place: str | int) -> int:
        """The line of a value, or of the nearest part around it that the file has."""
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def error(self, problems: Iterable[tuple[Place, str]]) -> SourceError:
        """One error for (place, what is wrong with it) pairs, a line of text each, in the order of the file."""
        told = sorted((self.line(*place), _words(place), text) for place, text in problems)
        return SourceError("\n".join(f"{self.path}:{line}: {where}{text}" for line, where, text in told))

    def read(self, model: type[Model], problems: Iterable[tuple[Place, str]] = ()) -> Model:
        """The content as `model`. Raises SourceError with every mistake, and with the `problems` known before."""
        told, content = [*self._doubled, *problems], None
        try:
            content = model.model_validate(self.content)
        except ValidationError as error:
            told += ((tuple(item["loc"]), _plain(item)) for item in error.errors())
        if told or content is None:
            raise self.error(told)
        return content


def _no_yaml(path: Path, error: yaml.YAMLError) -> SourceError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", "it cannot be read")
    return SourceError(f"{path}:{mark.line + 1 if mark else 1}: this cannot be read as YAML: {problem}")


def _words(place: Place) -> str:
    inner = [str(part) for part in place if part not in ("<again>", "[key]")]
    return f"{'.'.join(inner)}: " if inner else ""


def _plain(item: Any) -> str:
    match item["type"]:
        case "extra_forbidden":
            return "there is no such setting; is it misspelt?"
        case "missing":
            return "it is missing"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "it must have parts of its own, each a name and a value"
        case "too_short" | "string_too_short":
            return "it is empty"
        case "string_type":
            return "it must be a text"
        case "int_type" | "int_parsing" | "int_from_float":
            return "it must be a whole number"
        case "string_pattern_mismatch":
            return "it has characters that are not allowed there"
        case "list_type":
            return "it must be a list"
        case "literal_error":
            return f"it must be one of {item['ctx']['expected']}"
        case _:
            return str(item["msg"]).removeprefix("Value error, ")
