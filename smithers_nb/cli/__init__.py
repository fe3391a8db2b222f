"""The command line: ``smithers WORD …``, and ``python -m smithers_nb WORD …``.

``words``     the words, each with the module of its handler: a word loads its own module only
``grammar``   a parser, made from the signature of a handler
``listing``   the executions of a file, without anything heavy
``looking``   the records, and the causes in them
``steering``  the registry's commands that write, on an execution that no process has
``moving``    run and resume
``programs``  the app of ``MODULE:App`` or of a notebook
``codes``     the exit codes
``errors``    the errors of loading a program
``shown``     lines for people, and one JSON object a line for programs
"""

from .main import main

__all__ = ["main"]
