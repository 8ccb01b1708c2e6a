"""Multiple-choice evaluation of language models behind the Messages API.

Example:
    >>> import evalkit
    >>> benchmark = evalkit.load_benchmark("everyday")
    >>> benchmark.question_set.questions[0].choices[0] != ""
    True
"""

# The names are listed in __init__.pyi, each imported when it is first used: `import evalkit` and
# `evalkit --help` stay fast.
import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

del lazy_loader
