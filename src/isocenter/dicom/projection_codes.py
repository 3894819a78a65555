"""How a radiograph was projected by its codes, whose meanings may be written in any language.

Views of chest and breast, their modifiers (PS3.16 CID 4010, 4014, 4015), and how the patient stood or lay (CID 19, 20),
in SNOMED CT and in the older SNOMED-RT. What is not here keeps its meaning as it was written.
"""

from __future__ import annotations

import re

__all__ = ["projection_words"]

_SCHEMES = frozenset({"SCT", "SRT", "SNM3", "99SDM"})
_CODED = """
399348003 R-10206 antero-posterior
399312000 R-10208 antero-posterior oblique
272479007 R-10214 postero-anterior
272479007 R-40888 postero-anterior
399059000 R-10216 postero-anterior oblique
399067008 R-102CD lateral
399173006 R-10236 left lateral
399198007 R-10232 right lateral
260427002 R-40783 lateral oblique
399182000 R-102C1 oblique
399135007 R-10220 left anterior oblique
399006002 R-10212 left posterior oblique
399356000 R-40985 right anterior oblique
399038007 R-10210 right posterior oblique
399184004 R-10238 left oblique
399236003 R-10234 right oblique
399162004 R-10242 cranio-caudal
399196006 R-10244 caudo-cranial
399192008 R-1024A cranio-caudal exaggerated laterally
399101009 R-1024B cranio-caudal exaggerated medially
399368009 R-10226 medio-lateral oblique
399099002 R-10230 latero-medial oblique
399260004 R-10224 medio-lateral
399352003 R-10228 latero-medial
399188001 R-102D0 superolateral to inferomedial oblique
441555000 R-40AAA inferomedial to superolateral oblique
127457009 G-8310 tissue specimen from breast
119376003 G-8300 tissue specimen
399110001 R-102C2 tangential
441752004 P2-00161 anterior compression
399011000 R-102D1 axillary tail
442580003 R-40AB2 axillary tissue
399161006 R-102D2 cleavage
399209000 R-102D5 implant displaced
442593008 R-40ABE infra-mammary fold
399163009 R-102D6 magnification
442581004 R-40AB3 nipple in profile
414493004 R-102CA rolled inferior
399197002 R-102D3 rolled lateral
399226006 R-102D4 rolled medial
415670009 R-102C9 rolled superior
399055006 R-102D7 spot compression
102538003 F-10450 recumbent
102539006 F-10460 semi-erect
40199007 F-10340 supine
1240000 F-10310 prone
34026001 F-10316 semi-prone
32185000 F-10318 lateral decubitus
102536004 F-10319 left lateral decubitus
102535000 F-10317 right lateral decubitus
260450008 R-40799 lordotic
33586001 F-103A0 sitting
10904000 F-10320 standing
"""
_MEANT = {
    code: words for line in _CODED.strip().splitlines() for *both, words in [line.split(maxsplit=2)] for code in both
}


def projection_words(value: str, scheme: str, meaning: str) -> str:
    """What a code means, in the words of the standard, and as it was written where these are others.

    >>> projection_words("R-10226", "SRT", "Aufnahme"), projection_words("399162004", "SCT", "Cranio-Caudal")
    ('medio-lateral oblique (Aufnahme)', 'Cranio-Caudal')
    >>> projection_words("4711", "99LOCAL", "chest p.a.")
    'chest p.a.'
    """
    known = _MEANT.get(value, "") if scheme in _SCHEMES else ""
    if not known or _letters(known) == _letters(meaning):
        return meaning or known
    return f"{known} ({meaning})" if meaning else known


def _letters(words: str) -> str:
    return re.sub(r"[^a-z]", "", words.casefold())
