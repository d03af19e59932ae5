"""Every failure of the media work reaches the caller as one error that says what to do."""

from pathlib import Path


class MediaError(Exception):
    """A clip, a sentence or a voice that the media work cannot use.

    Args:
        subject: What it is about: the path of a file, or the text that was given.
        problem: What is wrong with it.
        remedy: What to do about it, as a whole sentence.

    Example:
        >>> print(MediaError("clips/a.mp4", "there is no such file", "Run make_library first."))
        clips/a.mp4: there is no such file. Run make_library first.
    """

    def __init__(self, subject: Path | str, problem: str, remedy: str) -> None:
        super().__init__(subject, problem, remedy)

    def __str__(self) -> str:
        subject, problem, remedy = self.args
        return f"{subject}: {problem}. {remedy}"
