"""What every route is about, and which verb those of the protocols ask: the tables of the access matrix."""

from __future__ import annotations

import re

ABOUT = {
    # a study: another's does not exist
    "study": """
        POST /api/studies/{uid}/links
        GET /api/studies/{uid}/links/preview
        POST /api/links
        POST /api/links/preview
        POST /api/deid/preview
        POST /api/studies/{uid}/analyse
        POST /api/studies/{uid}/research/{analysis}
        GET /api/worklist/{uid}/preview
        GET /api/studies/{uid}
        GET /api/studies/{uid}/hang
        GET /api/studies/{uid}/priors
        GET /api/studies/{uid}/results
        GET /api/studies/{uid}/plan
        GET /api/studies/{uid}/lesions
        POST /api/studies/{uid}/lesions
        GET /api/patients/{uid}/timeline
        POST /api/patients/{uid}/elsewhere
        POST /api/patients/{uid}/fetch
        GET /api/patients/{uid}/fetch
        POST /api/patients/{uid}/fetch/stop
        GET /api/studies/{uid}/series/{series}/pictures
        GET /api/studies/{uid}/series/{series}/slab
        GET /api/studies/{uid}/series/{series}/plane.png
        POST /api/readings/{uid}/measure
        DELETE /api/readings/{uid}/measure/{tracking}
        POST /api/studies/{uid}/segment
        POST /api/studies/{uid}/flow
        POST /api/studies/{uid}/series/{series}/ready
        GET /api/studies/{uid}/registrations
        POST /api/studies/{uid}/register
        GET /api/studies/{uid}/register/{run}
        DELETE /api/studies/{uid}/register/{run}
        POST /api/studies/{uid}/registrations
        GET /api/studies/{uid}/series/{series}/on/{fixed}/{by}/pictures
        GET /api/studies/{uid}/series/{series}/on/{fixed}/{by}/slab
        GET /api/studies/{uid}/rejections
        POST /api/studies/{uid}/reject
        POST /api/studies/{uid}/rejections/{number}/take-back
        POST /api/studies/{uid}/rejections/{number}/ask-purge
        POST /api/studies/{uid}/rejections/{number}/purge
        GET /api/studies/{uid}/project
        POST /api/studies/{uid}/project
        GET /api/readings/{uid}
        POST /api/readings/{uid}/open
        POST /api/readings/{uid}/assign
        POST /api/readings/{uid}/lapse
        POST /api/readings/{uid}/lock
        GET /api/readings/{uid}/line
        PUT /api/readings/{uid}/line
        GET /api/readings/{uid}/comparison
        POST /api/readings/{uid}/seen
        POST /api/readings/{uid}/undo
        POST /api/readings/{uid}/correct
        POST /api/readings/{uid}/sign
        POST /api/readings/{uid}/tell
        POST /api/studies/{uid}/alerts
        GET /api/readings/{uid}/report
        PUT /api/readings/{uid}/sentences/{id}
        PUT /api/readings/{uid}/template
        GET /api/readings/{uid}/gone
        GET /api/readings/{uid}/report.csv
        GET /api/readings/{uid}/report.pdf
        GET /api/readings/{uid}/report.fhir
        POST /api/studies/{uid}/stamps
        POST /api/studies/{uid}/outcome
        POST /api/studies/{uid}/followups
        GET /api/studies/{uid}/remarks
        POST /api/studies/{uid}/remarks
        POST /api/studies/{uid}/remarks/{thread}/settle
        POST /api/studies/{uid}/together
        GET /api/studies/{uid}/together
        GET /api/studies/{uid}/similar
        GET /api/studies/{uid}/surfaces
        GET /api/studies/{uid}/surfaces.glb
        POST /api/double
        POST /api/consents
        POST /api/consents/of
        POST /api/consents/withdraw
        POST /api/consents/reached
        POST /api/consents/asked
        POST /api/consents/requests
        POST /api/identities/move
        POST /api/followups/{id}/match
        GET /api/results/{id}/contours/{tracking}
        GET /api/results/{id}/section
        GET /api/results/{id}/mask
        GET /api/results/{id}/map
        GET /api/results/{id}/regions/{tracking}/{form}
        GET /api/explain/{id}
        GET /dicom-web/studies/{study}
        GET /dicom-web/studies/{study}/metadata
        GET /dicom-web/studies/{study}/rendered
        GET /dicom-web/studies/{study}/thumbnail
        GET /dicom-web/studies/{study}/series/{series}
        GET /dicom-web/studies/{study}/series/{series}/metadata
        GET /dicom-web/studies/{study}/series/{series}/rendered
        GET /dicom-web/studies/{study}/series/{series}/thumbnail
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/metadata
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/rendered
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/thumbnail
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/thumbnail
        GET /dicom-web/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}
        GET /fhir/ImagingStudy/{id}
        GET /fhir/DiagnosticReport
        GET /fhir/Observation
        GET /fhir/Provenance
        GET /fhir/r5/ImagingStudy/{id}
        GET /fhir/r5/DiagnosticReport
        GET /fhir/r5/Observation
        GET /fhir/r5/Provenance
        GET /fhir/r5/ImagingSelection
        GET /fhir/Consent
        GET /fhir/r5/Consent
    """,
    # something else that has a home, by its name: another's does not exist
    "named": """
        POST /api/links/{id}/end
        POST /api/links/{id}/extend
        POST /api/consents/requests/{id}/answer
        POST /api/links/{id}/identity
        POST /api/links/{id}/preview
        POST /api/alerts/{id}/acknowledge
        GET /api/cohorts/{id}
        GET /api/cohorts/{id}/export
        POST /api/cohorts/{id}/tags
        POST /api/cohorts/{id}/without
        POST /api/cohorts/{id}/hand-out/plan
        POST /api/cohorts/{id}/hand-out
        GET /api/peer/{id}
        GET /api/peer/{id}/case
        POST /api/peer/{id}/score
        POST /api/double/{id}/opinion
        POST /api/followups/{id}/close
        POST /api/identities/{number}/undo
        POST /api/glass/{id}/end
        POST /api/glass/{id}/review
        POST /api/orders/cancel
        POST /api/workitems/{uid}/cancel
        POST /api/workitems/{uid}/end
        GET /dicom-web/workitems/{uid}
        POST /dicom-web/workitems/{uid}
        PUT /dicom-web/workitems/{uid}/state
        POST /dicom-web/workitems/{uid}/cancelrequest
        POST /dicom-web/workitems/{uid}/subscribers/{aet}
        DELETE /dicom-web/workitems/{uid}/subscribers/{aet}
        POST /dicom-web/workitems/{uid}/subscribers/{aet}/suspend
        GET /fhir/Patient/{id}
        GET /fhir/ServiceRequest/{id}
        GET /fhir/Task/{id}
        GET /fhir/r5/Patient/{id}
        GET /fhir/r5/ServiceRequest/{id}
        GET /fhir/r5/Task/{id}
    """,
    # many: nothing of another project stands in the answer
    "list": """
        GET /api/consents
        GET /api/consents/requests
        GET /api/links
        POST /api/palette
        POST /api/patients
        GET /api/begin
        GET /api/worklist
        GET /api/worklist/counts
        GET /api/critical
        GET /api/rejections
        GET /api/alerts/all
        GET /api/orders
        POST /api/orders
        GET /api/steps
        GET /api/workitems
        POST /api/workitems
        GET /api/messages
        GET /api/promises
        GET /api/alerts
        GET /api/projects
        GET /api/glass
        GET /api/glass/reviews
        GET /api/cohorts
        GET /api/cohorts/ask
        GET /api/cohorts/compare
        GET /api/cohorts/learned
        GET /api/cohorts/percentile
        GET /api/cohorts/plots
        GET /api/cohorts/survival
        POST /api/cohorts
        GET /api/identities
        GET /api/turnaround
        GET /api/triage
        GET /api/triage/{analysis}
        GET /api/worklist/effect
        GET /api/queue
        GET /api/readers
        GET /api/audit
        GET /api/ledger/arrivals
        GET /api/ledger/departures
        GET /api/peer
        POST /api/peer/draw
        GET /api/double
        GET /api/followups
        POST /api/followups/match
        GET /dicom-web/studies
        GET /dicom-web/series
        GET /dicom-web/instances
        GET /dicom-web/studies/{study}/series
        GET /dicom-web/studies/{study}/instances
        GET /dicom-web/studies/{study}/series/{series}/instances
        POST /dicom-web/studies
        POST /dicom-web/studies/{study}
        POST /dicom-web/projects/{project}/studies
        GET /dicom-web/workitems
        POST /dicom-web/workitems
        GET /fhir/Patient
        GET /fhir/ImagingStudy
        GET /fhir/ServiceRequest
        POST /fhir/ServiceRequest
        GET /fhir/Task
        GET /fhir/Communication
        GET /fhir/AuditEvent
        GET /fhir/r5/Patient
        GET /fhir/r5/ImagingStudy
        GET /fhir/r5/ServiceRequest
        POST /fhir/r5/ServiceRequest
        GET /fhir/r5/Task
        GET /fhir/r5/Communication
        GET /fhir/r5/AuditEvent
    """,
    # of no study
    "site": """
        GET /sign-in
        GET /api/sign-in/ways
        GET /sign-in/oidc
        GET /sign-in/oidc/back
        GET /api/me
        GET /api/me/sessions
        GET /api/counting/{answer}
        GET /api/models/{name}/gate
        GET /api/models/{name}/watch
        GET /api/models/{name}/wrong
        GET /api/models/{name}/cases
        GET /api/models/{name}/compare
        GET /api/models/{name}/card
        GET /api/models/{name}/card.pdf
        GET /api/card-schema.json
        GET /api/federations
        POST /api/models/{name}/step
        GET /api/modes
        POST /api/modes/{analysis}
        POST /api/modes/{analysis}/confirm
        GET /api/settings/me
        PUT /api/settings/me
        GET /api/settings/site
        PUT /api/settings/site
        GET /api/people
        POST /api/people
        GET /api/colleagues
        GET /api/peers
        POST /api/peers
        POST /api/peers/{name}/echo
        GET /api/settings/{scope}/history
        GET /api/views
        PUT /api/views/{name}
        DELETE /api/views/{name}
        GET /api/policy/why
        GET /api/system
        GET /api/conformance
        GET /api/licences
        GET /api/demo/steps
        GET /api/templates
        GET /api/analyses
        GET /api/analyses/{name}
        GET /api/stops
        POST /api/analyses/{name}/stop
        POST /api/analyses/{name}/stop/undo
        POST /api/analyses/{name}/stop/reason
        POST /api/analyses/{name}/resume
        GET /api/models
        GET /api/models/{name}
        GET /api/models/{name}/stop-rules
        POST /api/models/{name}/rehearse
        POST /api/models/{name}/stop
        POST /api/models/{name}/stop/undo
        POST /api/models/{name}/stop/reason
        POST /api/models/{name}/resume
        GET /api/openapi.json
        GET /healthz
        GET /metrics
        GET /api/consents/terms
        POST /api/consents/fhir
        GET /api/audit/chain
        GET /api/segment
        POST /api/segment
        PUT /api/segment/{id}/files
        POST /api/segment/{id}/start
        GET /api/segment/{id}
        GET /api/segment/{id}/files/{name}
        DELETE /api/segment/{id}
        GET /api/hand-outs/{id}
        GET /api/hand-outs/{id}/file
        DELETE /api/hand-outs/{id}
        GET /api/shared
        GET /api/shared/left
        GET /api/shared/identity
        POST /api/shared/identity
        GET /api/shared/files
        POST /api/shared/taken
        POST /api/shared/measure
        GET /api/shared/instances/{uid}
        GET /api/shared/series/{series}/pictures
        GET /api/shared/series/{series}/slab
        POST /api/identities/merge
        PUT /api/projects/{name}
        POST /api/projects/{name}/members
        POST /api/projects/{name}/senders
        GET /fhir/metadata
        GET /fhir/Endpoint/{id}
        GET /fhir/r5/metadata
        GET /fhir/r5/Endpoint/{id}
        GET /{path:path}
        GET /fhir/{rest:path}
        GET /fhir/r5/{rest:path}
    """,
    # only refused by this test: they end the session, open what is another's, or do not end
    "apart": """
        POST /api/sign-in
        POST /sign-in/oidc/ended
        POST /api/sign-out
        POST /api/me/password
        POST /api/me/sessions/end
        POST /api/studies/{uid}/glass
        GET /api/events
        WS /dicom-web/subscribers/{aet}
    """,
}

PROTOCOLS = (
    (r"POST /dicom-web/(projects/{project}/)?studies.*", "receive"),
    (r"GET /dicom-web/(studies|series|instances)", "find"),
    (r"GET /dicom-web/studies/{study}(/series/{series})?/(series|instances)", "find"),
    (r"GET /dicom-web/studies/.*", "instance"),
    (r"(POST|PUT) /dicom-web/workitems(/{uid}(/state|/cancelrequest)?)?", "workitem"),
    (r"(GET|POST|DELETE|WS) /dicom-web/(workitems|subscribers).*", "workitems"),
    (r"GET /fhir/(r5/)?(metadata|Endpoint/{id}|{rest:path})", "me"),
    (r"GET /fhir/(r5/)?Patient.*", "find"),
    (r"GET /fhir/(r5/)?ImagingStudy/{id}", "study"),
    (r"GET /fhir/(r5/)?ImagingStudy", "find"),
    (r"POST /fhir/(r5/)?ServiceRequest", "order"),
    (r"GET /fhir/(r5/)?ServiceRequest.*", "orders"),
    (r"GET /fhir/(r5/)?Task.*", "workitems"),
    (r"GET /fhir/(r5/)?(DiagnosticReport|Observation|Provenance|ImagingSelection)", "signed"),
    (r"GET /fhir/(r5/)?Communication", "report"),
    (r"GET /fhir/(r5/)?AuditEvent", "audit"),
    (r"GET /fhir/(r5/)?Consent", "consent"),
)
"""Verbs of the routes that declare none: those of the protocols ask the policy within."""

ALSO = {"GET /api/studies/{uid}/together": ("consult",)}
"""Routes that ask for more than the verb that they declare."""

CHANNELS = {
    "GET /api/events": ("events",),
    "GET /api/studies/{uid}/together": ("events", "consult"),
    "WS /dicom-web/subscribers/{aet}": ("workitems",),
}
"""Routes whose answer does not end, with the verbs that they ask: they are heard, and not only asked."""

OWN_ACTS = {
    "POST /api/analyses/{name}/resume": ("POST /api/analyses/{name}/stop", {"reason": "drift"}),
    "POST /api/modes/{analysis}/confirm": (
        "POST /api/modes/{analysis}", {"use": "reading", "mode": "second", "reason": "a test"},
    ),
    "POST /api/glass/{id}/review": ("POST /api/studies/{uid}/glass", {"reason": "a seizure in the ward"}),
    "POST /api/studies/{uid}/rejections/{number}/purge": (
        "POST /api/studies/{uid}/rejections/{number}/ask-purge", {"reason": "a test"},
    ),
}  # fmt: skip
"""What one person begins and another ends: the act that ends it, and the act that began it with its body."""

ELSEWHERE = {
    "POST /api/models/{name}/resume": "tests/site/test_site_cataloguing.py",
    "POST /api/peer/{id}/score": "tests/reading/test_reading_peer.py",
    "POST /api/double/{id}/opinion": "tests/reading/test_reading_double_reading.py",
}
"""The same where it takes files or a draw to come so far; where that is tried."""

SECOND = re.compile(r"POST .*/(resume|confirm|review|purge|score|opinion|approve|verify|second)$")
"""Names of acts that judge what somebody did: each has to stand in one of the two tables above."""

PERSONAL = frozenset(
    {
        "GET /api/peer/{id}", "GET /api/peer/{id}/case", "POST /api/peer/{id}/score", "POST /api/double/{id}/opinion",
        "POST /api/glass/{id}/end", "POST /api/glass/{id}/review", "GET /api/studies/{uid}/together",
    }
)  # fmt: skip
"""What only the person whom it is about may see or do, within a project, too; and one answer that does not end."""

CHANGES_ALL = re.compile(
    r".*/(reject|project|sign|move|merge|lapse|lock|analyse|stop|resume|members|senders|glass|site|withdraw|purge)$"
    r"|(PUT|POST) /api/(projects|people|views|segment|settings|orders|workitems).*"
    r"|POST /api/consents|POST /dicom-web.*|PUT /dicom-web.*"
    r"|POST /api/studies/[^ ]*/research/.*"
    r"|POST /fhir.*|POST /api/models.*|POST /api/analyses/.*/stop/.*|POST /api/modes.*"
)
"""Acts after which the archive of the test would be another; on one's own their own test files do them."""

QUERIES = {
    "/api/studies/{uid}/series/{series}/slab": "?tag=" + "0" * 32 + "&first=0&count=1",
    "/api/studies/{uid}/series/{series}/on/{fixed}/{by}/slab": "?tag=" + "0" * 32 + "&first=0&count=1",
    "/api/studies/{uid}/series/{series}/plane.png": (
        "?origin=0,0,0&right=1,0,0&down=0,1,0&width=8&height=8&low=0&high=1"
    ),
    "/api/results/{id}/contours/{tracking}": "?sop=IMAGE",
    "/api/results/{id}/map": "?name=map",
    "/api/results/{id}/section": "?point=0,0,0&normal=0,0,1&on=SERIES&name=map",
    "/api/results/{id}/mask": "?point=0,0,0&normal=0,0,1&on=SERIES&version=0",
    "/api/readings/{uid}/measure/{tracking}": "?version=0",
    "/api/cohorts/{id}/export": "?form=csv",
    "/api/audit": "?limit=1000",
    "/fhir/Patient": "?identifier=OTHERS",
    "/fhir/r5/Patient": "?identifier=OTHERS",
    **{
        f"/fhir/{r5}{kind}": "?study=STUDY"
        for r5 in ("", "r5/")
        for kind in ("DiagnosticReport", "Observation", "Provenance", "ImagingSelection", "Consent")
    },
}
