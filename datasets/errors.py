"""The one error that bad input data raises."""


class DataError(ValueError):
    """Input data that cannot be used.

    The message names the file (or request), the field, what was expected and what came.
    """
