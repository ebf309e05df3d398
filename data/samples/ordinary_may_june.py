"""The ordinary mail of May and June, in the order of its dates."""

from __future__ import annotations

from samples.building import Person
from samples.files import calendar, csv, plain
from samples.mail import Mail
from samples.people import (
    CLAIRE,
    DMITRI,
    ELLEN,
    GRACE,
    INES,
    LETTER,
    LETTER_HEADERS,
    OSKAR,
    TEAM,
    TOMASZ,
    UWE,
    WATCH,
)

MAY_JUNE: tuple[Mail, ...] = (
    Mail(
        "alert-surge",
        "2026-05-11 22:56 +0000",
        WATCH,
        [Person("", "oncall@saltmark.example"), INES],
        "[ALERT] PH-01 level 402 cm, above the quay mark",
        """
station:   PH-01 (Porthollow, east quay)
level:     402 cm at 2026-05-11T22:54:00Z, mark 395 cm
rule:      level above the quay mark, twice in a row
""",
        headers={"Auto-Submitted": "auto-generated", "X-Station": "PH-01", "X-Priority": "1"},
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "re-alert-surge",
        "2026-05-12 06:31 +0100",
        GRACE,
        [WATCH],
        "Re: [ALERT] PH-01 level 402 cm, above the quay mark",
        """
We had the boards in by midnight. First time a machine woke me and was right.

Grace

> level:     402 cm at 2026-05-11T22:54:00Z, mark 395 cm
""",
        cc=[INES],
        answers=["alert-surge"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "letter-may",
        "2026-05-19 06:00 +0000",
        LETTER,
        [INES],
        "Slack Water No. 65: the anchor under bollard 7",
        """
THE SLACK WATER LETTER No. 65

* The anchor under bollard 7: a harbour master tells
* 37 constituents and one laptop

Read on: https://slackwater.example.com/65
""",
        html="""
<html><body style="font-family: Georgia, serif">
<h1>The Slack Water Letter <small>No. 65</small></h1>
<ul><li><b>The anchor under bollard 7:</b> a harbour master tells</li>
<li>37 constituents and one laptop</li></ul>
<p><a href="https://slackwater.example.com/65">Read on</a></p>
</body></html>
""",
        headers=LETTER_HEADERS,
    ),
    Mail(
        "merci-pour-le-cable",
        "2026-05-28 15:44 -0400",
        ELLEN,
        [TOMASZ],
        "Merci pour le câble",
        """
Bonjour Tomasz,

le câble tient, le zéro aussi. L'équipe vous salue et le pêcheur du quai
demande si l'appareil sait prévoir le homard.

Ellen
""",
        cc=[INES, CLAIRE],
    ),
    Mail(
        "nordsiel-mounting-dates",
        "2026-06-02 10:11 +0200",
        CLAIRE,
        [UWE],
        "Einbau in Nordsiel: Terminvorschläge",
        """
Sehr geehrter Herr Hartmann,

unser Team könnte vom 22. bis 24. Juni oder vom 6. bis 8. Juli kommen. Wir
brauchen einen Kran für zwei Stunden und Strom am Außenhafen.

Mit freundlichen Grüßen
Claire Aubry
""",
        cc=[INES, TOMASZ],
        files=[plain("material-und-kran.txt", "Kran 2 t, 2 Stunden\nStrom 230 V am Außenhafen\n")],
        transfer="8bit",
    ),
    Mail(
        "summer-lunch",
        "2026-06-09 12:05 +0200",
        OSKAR,
        [TEAM],
        "Invitation: summer lunch on the slipway, 26 June",
        """
Fish from the boat next door, salad from Claire, music from nobody.
Please answer by the 19th so that I know how many herrings.

Oskar
""",
        invitation=calendar(
            "summer-lunch-2026",
            "20260626T100000Z",
            "20260626T120000Z",
            "Summer lunch",
            "Slipway",
            OSKAR.address,
        ),
        files=[
            plain("how-to-find-the-slipway.txt", "Past the chandler, then follow the smell of tar.\n"),
        ],
    ),
    Mail(
        "spasibo-za-sovet",
        "2026-06-17 09:20 +0300",
        DMITRI,
        [INES],
        "Re: Вопрос о калибровке датчика",
        """
Добрый день, Инес!

> достаточно изменить ноль в настройках

Помогло, спасибо. Разница с рейкой теперь меньше одного сантиметра.

Дмитрий
""",
        answers=["vopros-o-kalibrovke", "otvet-o-kalibrovke"],
        charset="koi8-r",
        transfer="base64",
    ),
    Mail(
        "half-year-figures",
        "2026-06-25 17:35 +0200",
        OSKAR,
        [INES],
        "Half-year figures, before the herrings",
        """
Rough, but they add up. We sold eleven gauges, lost none, and the battery
claim holds. See you at the slipway tomorrow.

Oskar
""",
        cc=[CLAIRE],
        files=[
            csv(
                "half-year-2026.csv",
                [
                    ["month", "gauges", "income_eur", "spent_eur"],
                    ["2026-01", 1, 9800, 11240],
                    ["2026-02", 0, 1450, 9310],
                    ["2026-03", 2, 19600, 12075],
                    ["2026-04", 3, 29900, 15480],
                    ["2026-05", 2, 18700, 10990],
                    ["2026-06", 3, 30150, 13320],
                ],
            )
        ],
        transfer="7bit",
        charset="us-ascii",
    ),
)
