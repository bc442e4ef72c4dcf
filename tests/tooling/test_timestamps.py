"""Moments in answers have one form, which the API's document tells."""
import json

NAMES = ('_at', '_date', '_time', '_until')


def moments(schema):
    """Every property of the document that is named like a moment."""
    if isinstance(schema, dict):
        properties = schema.get('properties')
        for name, shape in properties.items() if isinstance(properties, dict) else ():
            if isinstance(shape, dict) and name.endswith(NAMES):
                yield name, shape
        for value in schema.values():
            yield from moments(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from moments(value)


# DATA-46
def test_every_moment_of_the_api_is_a_text_of_rfc_3339(root):
    found = list(moments(json.loads((root / 'docs/openapi.json').read_text())))
    assert len(found) > 20

    foreign = {'restart_time', 'created_at'}   # PM2's: a number of restarts, and whole seconds since 1970
    for name, shape in found:
        if shape.get('type') == 'integer' and name in foreign:
            continue
        assert shape.get('format') == 'date-time', f'{name}: {shape}'
