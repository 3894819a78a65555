"""Life cycles as tables that can be read aloud: (state, event) -> (sentence, next state)."""

from __future__ import annotations

from collections.abc import Mapping

from isocenter.errors import WrongState

__all__ = ["JOB", "MODEL", "ORDER", "READING", "STEP", "Table", "WORKITEM", "allowed", "step"]

Table = Mapping[tuple[str, str], tuple[str, str]]

READING: Table = {
    ("waiting", "assign"): ("somebody is asked to read the study; others may still take it", "waiting"),
    ("waiting", "open"): ("a reader takes the study", "open"),
    ("open", "correct"): ("the reader keeps, changes, strikes or adds a finding", "open"),
    ("open", "word"): ("the reader changes the words of the report", "open"),
    ("open", "lock"): ("the reader locks their first opinion; what machines say is shown", "open"),
    ("open", "lapse"): ("the reader leaves it unsigned; it waits again, corrections kept", "waiting"),
    ("open", "sign"): ("the reader signs; the report is sealed by name and digest", "signed"),
    ("signed", "open"): ("a reader opens the signed study to amend it", "amending"),
    ("amending", "correct"): ("the reader keeps, changes, strikes or adds a finding", "amending"),
    ("amending", "word"): ("the reader changes the words of the report", "amending"),
    ("amending", "lapse"): ("the reader leaves it; the signed report stands", "signed"),
    ("amending", "sign"): ("the reader signs the amendment; both versions are kept", "signed"),
}
"""The life of a reading. The study's report is final exactly in the states signed and amending."""

JOB: Table = {
    ("waiting", "start"): ("a worker takes the job", "running"),
    ("running", "finish"): ("the work is done", "done"),
    ("running", "fail"): ("the work failed; the reason is kept", "failed"),
    ("running", "lose"): ("the worker died; another takes over from the last finished step", "waiting"),
    ("failed", "retry"): ("a person asks for another try", "waiting"),
    ("waiting", "cancel"): ("a person withdraws the job", "cancelled"),
    ("running", "cancel"): ("a person withdraws the job", "cancelled"),
}
"""The life of a job."""

MODEL: Table = {
    ("candidate", "test"): ("a named person has it measured on the sealed test set; the look is counted", "tested"),
    ("candidate", "reject"): ("a named person gives it up", "rejected"),
    ("tested", "test"): ("it is measured again, while looks are left", "tested"),
    ("tested", "compare"): ("not inferior to what it replaces, overall and in every group that can tell", "compared"),
    ("tested", "reject"): ("did not pass the sealed test", "rejected"),
    ("compared", "shadow"): ("runs beside, unseen by readers", "shadow"),
    ("compared", "reject"): ("a named person gives it up", "rejected"),
    ("shadow", "release"): ("a named person releases it; its cases in shadow are enough", "released"),
    ("shadow", "reject"): ("did not hold in shadow", "rejected"),
    ("released", "suspend"): ("stopped everywhere; no new result is shown", "suspended"),
    ("suspended", "undo"): ("whoever stopped it takes that back within five seconds", "released"),
    ("suspended", "test"): ("it is measured on cases that were sealed since; it stays stopped", "suspended"),
    ("suspended", "release"): ("another person releases it again; it passed on cases sealed since", "released"),
    ("suspended", "retire"): ("never used again; its results stay explained", "retired"),
    ("released", "retire"): ("replaced by a child", "retired"),
}
"""The life of a model. A model never takes a step by itself; a stop rule that a person declared may suspend it."""

ORDER: Table = {
    ("scheduled", "change"): ("who ordered it changes it; the worklist shows the change", "scheduled"),
    ("scheduled", "cancel"): ("who ordered it takes it back; it leaves the worklist", "cancelled"),
    ("scheduled", "begin"): ("a modality begins a step of it", "in progress"),
    ("cancelled", "change"): ("it is ordered again under the same number", "scheduled"),
    ("in progress", "begin"): ("a second modality, or a repeated try, begins another step of it", "in progress"),
    ("in progress", "complete"): ("the modality says that the step is done", "completed"),
    ("in progress", "discontinue"): ("the modality breaks the step off; it may be tried again", "discontinued"),
    ("discontinued", "begin"): ("the examination is tried again", "in progress"),
    ("discontinued", "cancel"): ("it will not be tried again", "cancelled"),
    ("completed", "begin"): ("further images are made for the same order", "in progress"),
}
"""The life of an order. Scheduled and discontinued orders stand on the modality worklist."""

STEP: Table = {
    ("IN PROGRESS", "set"): ("the modality adds to what it told", "IN PROGRESS"),
    ("IN PROGRESS", "complete"): ("the modality says that the step is done; nothing changes it any more", "COMPLETED"),
    ("IN PROGRESS", "discontinue"): ("the modality breaks it off; nothing changes it any more", "DISCONTINUED"),
}
"""The life of a performed procedure step (PS3.4 F.7)."""

WORKITEM: Table = {
    ("SCHEDULED", "update"): ("whoever schedules it changes it", "SCHEDULED"),
    ("SCHEDULED", "claim"): ("a performer takes it, under a transaction of their own; nobody else can", "IN PROGRESS"),
    ("SCHEDULED", "cancel"): ("a request to cancel it is granted at once", "CANCELED"),
    ("IN PROGRESS", "update"): ("the performer tells how it goes", "IN PROGRESS"),
    ("IN PROGRESS", "complete"): ("the performer has done it and says what came out", "COMPLETED"),
    ("IN PROGRESS", "cancel"): ("the performer gives it up", "CANCELED"),
}
"""The life of a work item (Unified Procedure Step, PS3.4 table CC.1.1-2)."""


_AMEND = "open it again to amend it; what was signed stays beside"
_ANOTHER = "place another order, under a number of its own"
_INSTEAD = {
    ("waiting", "sign"): "open the study first",
    ("waiting", "lock"): "open the study first",
    ("waiting", "correct"): "open the study first",
    ("waiting", "word"): "open the study first",
    ("signed", "sign"): _AMEND,
    ("signed", "lock"): _AMEND,
    ("signed", "correct"): _AMEND,
    ("signed", "word"): _AMEND,
    ("cancelled", "cancel"): "it is cancelled already",
    ("in progress", "cancel"): "have the modality break it off (DISCONTINUED), then cancel it",
    ("in progress", "change"): _ANOTHER,
    ("discontinued", "change"): _ANOTHER,
    ("completed", "change"): _ANOTHER,
    ("completed", "cancel"): "its images are made: reject them where they are wrong",
}
"""What to do where the table has no such step: (state, event) -> words."""


def step(table: Table, state: str, event: str) -> str:
    """The next state.

    Raises:
        WrongState: when the table has no such line; the message lists what is possible from here.

    >>> step(READING, "waiting", "open")
    'open'
    """
    try:
        return table[state, event][1]
    except KeyError:
        possible = allowed(table, state)
        raise WrongState(
            f"'{event}' is not possible in state '{state}'",
            f"possible are: {', '.join(possible) or 'none, it is a final state'}",
            _INSTEAD.get((state, event)) or ("take one of these, or leave it so" if possible else "leave it so"),
        ) from None


def allowed(table: Table, state: str) -> tuple[str, ...]:
    """Events that the table knows from this state, in its order."""
    return tuple(event for (at, event) in table if at == state)
