"""Something that happened. Events are appended to one journal and chained by hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from isocenter.record.plain import digest_of

__all__ = ["GENESIS", "Event", "Kind", "Sealed"]

GENESIS = "0" * 64
"""The hash before the first event."""


class Kind(StrEnum):
    """What can happen. One line each; `flow.py` says what the house does of itself after it."""

    INSTANCES_RECEIVED = "InstancesReceived"  # details.instances: [{sop_uid, series_uid, study_uid, digest}]
    INSTANCE_SET_ASIDE = "InstanceSetAside"  # same UID, other digest: quarantined
    INSTANCES_REJECTED = "InstancesRejected"  # not whole, not DICOM: reason
    BATCH_TAKEN = (
        "BatchTaken"  # several at once, or by a link; details: offered, stored, there, conflict, rejected, missing
    )
    PLANNED = "Planned"  # details.bindings: [{analysis, version, series}]
    DECLINED = "Declined"  # details: analysis, predicate, wanted, found
    RESULT_MADE = "ResultMade"  # subject: study; details.result: digest
    ANALYSIS_FAILED = "AnalysisFailed"
    RESEARCH_RUN = "ResearchRun"  # subject: study; details: analysis, version, series, answer, said, unmet; no result
    READING_ASSIGNED = "ReadingAssigned"  # details.to: who is asked to read the study; empty: nobody any more
    READING_OPENED = "ReadingOpened"
    READING_CLOSED = "ReadingClosed"
    OPINION_TYPED = (
        "OpinionTyped"  # the one line of a first opinion that is not locked yet; only its reader hears of it
    )
    OPINION_LOCKED = "OpinionLocked"  # a reader's first opinion; details.report: digest of the opinion
    REPORT_DRAFTED = "ReportDrafted"
    REPORT_SIGNED = "ReportSigned"
    REPORT_AMENDED = "ReportAmended"
    SENT = "Sent"
    ASKED_ELSEWHERE = "AskedElsewhere"  # subject: study; details.peers were asked for studies of its patient
    FETCH_ASKED = "FetchAsked"  # subject: a study of the patient; details: peer, study that it is to send; a job
    FETCHED = "Fetched"  # subject: a study of the patient; details: peer, study that it sent, came, failed, why
    SEND_FAILED = "SendFailed"
    PERSON_ADDED = "PersonAdded"
    PERSON_CHANGED = "PersonChanged"  # subject: account; details: what, and of role, credential, disabled what is new
    SIGNED_IN = "SignedIn"
    SIGN_IN_REFUSED = "SignInRefused"
    SIGNED_OUT = "SignedOut"
    VIEWED = "Viewed"  # subject: study; details.what: results, report, record or remarks
    QUERIED = "Queried"  # details: level, keys: what was asked by, never the values
    EXPORTED = "Exported"
    REFUSED = "Refused"  # a policy said no
    MODEL_TRAINED = "ModelTrained"
    MODEL_JUDGED = "ModelJudged"  # subject: model; details: digest, test, look, metrics, cases: digest, gaps
    MODEL_MEASURED = "ModelMeasured"  # subject: model; details: digest, data and cases: digests, n, metrics; no test
    MAP_TESTED = "MapTested"  # subject: model; details: digest, map, method, passed, failed, cases, partners: digests
    MODEL_STEPPED = "ModelStepped"  # subject: model; details: digest, step, state, was, reason
    WATCH_ALARMED = (
        "WatchAlarmed"  # subject: model; details: digest, chart, of, since, case, share_lately, usual, stopped
    )
    CHANGE_DECLARED = "ChangeDeclared"  # subject: model; details: what may change, protocol, impact, reason
    TEST_SEALED = "TestSealed"  # subject: model; details: digest of the test set, looks that are allowed, reason
    TEST_LOOKED = "TestLooked"  # subject: model; details: digest of the model, test, look; written before it is opened
    TEST_CASES_OPENED = "TestCasesOpened"  # subject: model; details: digest of the model, test; who saw single cases
    EXAMPLES_TAKEN = "ExamplesTaken"  # subject: analysis; details: n, by_class, by_mode, closed, digest, studies, use
    FEDERATION_JOINED = "FederationJoined"  # subject: run; details: the agreement, ground, aside: unusable pictures
    FEDERATION_ROUND = "FederationRound"  # subject: run; details: round, bytes, pictures, aside, epsilon
    FEDERATION_DONE = "FederationDone"  # subject: run; details: rounds, weights: digest
    PEER_ADDED = "PeerAdded"
    STAMPED = "Stamped"  # a moment of an examination, told by RIS or a person: details.stamp, .at, .accession
    OUTCOME_KNOWN = "OutcomeKnown"  # what turned out to be true: details.analysis, .present, .source
    # The subject of what is read blind is an id of its own, so that nothing about the study tells who reads it again.
    PEER_DRAWN = "PeerDrawn"
    PEER_REVIEWED = "PeerReviewed"
    PEER_ARBITRATED = "PeerArbitrated"
    DOUBLE_READ_ASKED = "DoubleReadAsked"
    DOUBLE_READ_LOCKED = "DoubleReadLocked"
    DOUBLE_READ_SETTLED = "DoubleReadSettled"
    FOLLOW_UP_ASKED = "FollowUpAsked"  # subject: study; details.id names the recommendation
    FOLLOW_UP_MATCHED = "FollowUpMatched"
    FOLLOW_UP_CLOSED = "FollowUpClosed"
    REMARKED = "Remarked"  # subject: study; a colleague's words on a place in an image
    SETTINGS_CHANGED = "SettingsChanged"  # subject: me:NAME, site or views; details.settings: the whole of them, as set
    MODE_PROPOSED = "ModeProposed"  # subject: analysis; details: use, mode, was, reason
    MODE_SET = "ModeSet"  # the same, with proposed_by where two people had to agree
    COHORT_FROZEN = "CohortFrozen"  # subject: digest of the cohort; details: name, q, n
    COHORT_EXPORTED = "CohortExported"  # the same; details: rows, form (dicom: with images), file: digest of the table
    COHORT_COUNTED = "CohortCounted"  # subject: account; details: groups: keyed digests of people it is told numbers of
    COHORT_RENEWED = "CohortRenewed"  # subject: account; details: reason, groups: how many it was told of until then
    COHORT_TAGGED = "CohortTagged"  # the same; details: tag: 1 to 9, on: given or taken off, studies
    CRITICAL_TOLD = "CriticalTold"  # subject: study; details.told: who was told after the signature
    CRITICAL_ESCALATED = "CriticalEscalated"  # subject: study; nobody was told within the time
    ANALYSIS_STOPPED = "AnalysisStopped"  # subject: analysis; details.reason, .model where a model was stopped
    STOP_EXPLAINED = "StopExplained"  # the same, by who stopped it without a word; details.reason
    STOP_REHEARSED = "StopRehearsed"  # subject: model; details: digest, checks, passed; nothing was stopped
    ANALYSIS_RESUMED = "AnalysisResumed"  # by another person, or undone at once; details.stopped_by, .undone
    IMAGES_SEEN = "ImagesSeen"  # subject: study; one for what a person sees of it within five minutes
    SHARED = "Shared"  # subject: study, one for each of a link; details: share, digest, until, to, country, may
    SHARE_USED = "ShareUsed"  # subject: study; details: share, address, what: "study" or a SOP Instance UID
    SHARE_EXTENDED = "ShareExtended"  # subject: study; details: share, until, was: when it would have ended, reason
    SHARE_ENDED = "ShareEnded"
    SHARE_TAKEN = "ShareTaken"  # subject: study; another archive took it: share, expected, stored, there, missing …
    IDENTITY_STATED = "IdentityStated"  # subject: study; who holds a link says who they are: share, claim, name
    IDENTITY_JUDGED = "IdentityJudged"  # the same; details: share, claim, accepted, reason
    CONSENT_GIVEN = "ConsentGiven"  # subject: study, or empty for the patient; details: patient, codes, until, permits
    CONSENT_WITHDRAWN = "ConsentWithdrawn"  # the same; details: patient, reason
    CONSENT_ASKED = "ConsentAsked"  # subject: study; details: request, of: patient or steward, purpose, to, until
    CONSENT_ANSWERED = "ConsentAnswered"  # the same; details: request, granted, consent: id of the terms, reason
    PSEUDONYMS_CHANGED = "PseudonymsChanged"  # subject: its name; details: was, now: domains of pseudonyms; destroyed
    AUDIT_EXPORTED = "AuditExported"  # details: form, entries, first, last; asked: by what it was narrowed, not to what
    FIGURES_TAKEN = "FiguresTaken"  # details: of: part of oversight, asked, rows, file: digest of the figures
    HEADERS_LEARNT = "HeadersLearnt"  # subject: study; details: study, series, instances: what read anew is different
    HEADERS_READ = "HeadersRead"  # details: reader, study: the last read, studies, images, learnt, unread, done
    SCRUBBED = "Scrubbed"  # details: files, bytes, damaged: digests, mended: how many, left: digests that were not
    DAMAGE_FOUND = "DamageFound"  # subject: study; details: digest, what: changed, missing or closed, instance: UID
    BACKED_UP = "BackedUp"  # details: entries, hash, blobs, new_blobs, damaged: how many
    BACKUP_REHEARSED = "BackupRehearsed"  # details: entries, hash, files, missing, passed; why it did not
    RESTORED = "Restored"  # the first event after an archive was made again; details: entries, hash, of, missing
    OBJECTS_REJECTED = "ObjectsRejected"  # subject: study; details: code, reason, instances, note, instead, absent
    REJECTION_ENDED = "RejectionEnded"  # subject: study; details: rejection: number of the event, reason
    PURGE_ASKED = "PurgeAsked"  # subject: study; details: rejection: number of the event, reason
    OBJECTS_PURGED = "ObjectsPurged"  # subject: study; details: asked: number, rejection, instances, digests
    PROJECT_SEALED = "ProjectSealed"  # subject: project; details: version of its key, studies, files: sealed by it
    KEY_ROTATED = "KeyRotated"  # subject: project, or "master"; details: version or name of the key, keys: how many
    ERASURE_ASKED = "ErasureAsked"  # subject: study or project; details: what: "study" or "project", reason
    STUDY_ERASED = "StudyErased"  # subject: study; details: asked: number of the event, digests; its key is destroyed
    PROJECT_ERASED = "ProjectErased"  # subject: project; details: asked: number of the event, studies: how many
    PATIENTS_MERGED = "PatientsMerged"  # details: from, into: {id, issuer}, studies, reason; later arrivals follow
    STUDIES_MOVED = "StudiesMoved"  # details: studies, into: the whole of the patient, reason
    PATIENTS_UNDONE = "PatientsUndone"  # details: change: number of the event that is undone, reason
    PROJECT_SET = "ProjectSet"  # subject: project; details: about, keeper: who looks through broken glass there
    PROJECT_JOINED = "ProjectJoined"  # subject: project; details: name, of: account or aet, role: what they are there
    PROJECT_RULED = "ProjectRuled"  # subject: project; details: sender, of; what this one sends is at home there
    STUDY_HOMED = "StudyHomed"  # subject: study; details: project where it is at home now, was, reason
    GLASS_BROKEN = "GlassBroken"  # subject: study; details: id, reason, until, reviewer, project
    GLASS_ENDED = "GlassEnded"  # the same; details: id
    GLASS_REVIEWED = "GlassReviewed"  # the same; details: id, justified, words
    STARTED = "Started"
    LESION_MATCHED = "LesionMatched"  # subject: study; details.one, .other: tracking identities; .same
    ORDER_PLACED = "OrderPlaced"  # subject: order; details.order: the whole of it as it now stands, .source
    ORDER_CANCELLED = "OrderCancelled"  # subject: order; details.reason
    STEP_BEGUN = "StepBegun"  # subject: SOP Instance UID of the MPPS; details.step: its data set, .orders
    STEP_CHANGED = "StepChanged"  # the same; details.step: what was set
    COMMITMENT_ASKED = "CommitmentAsked"  # subject: transaction UID; details.images: [class, instance] of each
    COMMITMENT_TOLD = "CommitmentTold"  # the same; details: by, good: how many, failed: UIDs
    COMMITMENT_WANTED = "CommitmentWanted"  # subject: study; details.destination was asked to promise, .uid
    COMMITMENT_HEARD = "CommitmentHeard"  # the same; details.whole: whether it keeps every image
    MESSAGE_HEARD = "MessageHeard"  # subject: hl7:SENDER|CONTROL; details: kind, code, text, digest of the message
    PATIENT_TOLD = "PatientTold"  # subject: patient ID; details.patient as the hospital tells it, .merged: who went
    RESULTS_WANTED = "ResultsWanted"  # subject: receiver; reports signed from here on are sent to it
    RESULT_TOLD = "ResultTold"  # subject: study; details: to, report: digest, control, code, text
    WORKITEM_CREATED = "WorkitemCreated"  # subject: SOP Instance UID of the work item; details.item: its data set
    WORKITEM_CHANGED = "WorkitemChanged"  # the same; details: set, or state and claim (a digest)
    WORKITEM_CANCEL_ASKED = "WorkitemCancelAsked"  # the same; details: by, reason, contact
    WORKITEM_WATCHED = "WorkitemWatched"  # subject: work item, or a well-known UID for all; details: aet, on, keys
    ALERT_RAISED = "AlertRaised"  # subject: study; details: id, level, finding, source, identified, responsible
    ALERT_CLIMBED = "AlertClimbed"  # the same; details: id, rung, to: who is asked now
    ALERT_ACKNOWLEDGED = "AlertAcknowledged"  # the same; details: id, told: the six fields; or opened: who opened it
    WITHHELD = "Withheld"  # never written: stands for an event that a person may not hear of yet


@dataclass(frozen=True)
class Event:
    """What happened, when, who did it, to what.

    Args:
        kind: one of `Kind`.
        time: aware UTC.
        who: account, AE title or ``"isocenter"``.
        subject: what it is about: a Study UID for everything on a study, else a name.
        details: plain JSON.
    """

    kind: Kind
    time: datetime
    who: str
    subject: str = ""
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Sealed:
    """An event in its place in the chain: `hash` covers the number, the previous hash and the event."""

    number: int
    previous: str
    event: Event
    hash: str

    @classmethod
    def after(cls, number: int, previous: str, event: Event) -> Sealed:
        """Seal an event behind the one whose hash is `previous`."""
        return cls(number, previous, event, digest_of([number, previous, event]))

    def is_whole(self) -> bool:
        """Whether the hash still fits the content."""
        return self.hash == digest_of([self.number, self.previous, self.event])
