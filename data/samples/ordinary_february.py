"""The ordinary mail of February, in the order of its dates."""

from __future__ import annotations

from samples.building import Person
from samples.files import csv, docx, pdf, plain, tide_readings, xlsx
from samples.mail import Mail
from samples.people import (
    ALERT_HEADERS,
    CLAIRE,
    DMITRI,
    ELLEN,
    FERRY,
    HOSTING,
    INES,
    JIWON,
    LETTER,
    LETTER_HEADERS,
    OFFICE,
    OSKAR,
    PRIYA,
    TEAM,
    TOMASZ,
    UWE,
    WATCH,
)

FEBRUARY: tuple[Mail, ...] = (
    Mail(
        "przeglad-lodzi",
        "2026-02-02 12:24 +0100",
        TOMASZ,
        [INES],
        "Przegląd łodzi serwisowej",
        """
Cześć Ines,

łódź jest po przeglądzie: nowa śruba, nowe świece, reszta w porządku.
Zestawienie kosztów w załączniku. Proszę, opłać to przed piątkiem, bo
stocznia nie lubi czekać.

Tomek
""",
        files=[
            xlsx(
                "koszty-łódź.xlsx",
                [["pozycja", "PLN"], ["śruba", 640], ["świece", 118.5], ["robocizna", 900]],
            )
        ],
        charset="iso-8859-2",
    ),
    Mail(
        "aw-angebot-nordsiel",
        "2026-02-03 15:40 +0100",
        UWE,
        [INES],
        "AW: Angebot 2026-008: drei Pegel für Nordsiel",
        """
Sehr geehrte Frau Albrecht,

vielen Dank. Der Ausschuss tagt am 17. April, bis dahin sind mir die Hände
gebunden. Eine Frage vorab: Hält der Mast Eisgang aus?

Mit freundlichem Gruß
U. Hartmann

> Sehr geehrter Herr Hartmann,
> anbei unser Angebot über drei Pegel samt Einbau, gültig bis Ende Mai.
""",
        answers=["angebot-2026-008"],
        charset="iso-8859-1",
    ),
    Mail(
        "firmware-4-2",
        "2026-02-05 16:48 +0000",
        PRIYA,
        [TEAM],
        "Firmware 4.2 is on the bench units",
        """
Hi all,

4.2 runs since Monday on the three bench units without a reset. It sleeps
between readings, so a battery lasts about 14 months instead of 9. Changes
attached. Please complain before Tuesday.

P.
""",
        files=[
            plain(
                "CHANGES.txt",
                "4.2\n- sleep between readings\n- clock set from the satellite once a day\n"
                "- fixed: level 0 was sent as empty\n",
            )
        ],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "re-firmware-4-2",
        "2026-02-06 08:19 +0100",
        OSKAR,
        [PRIYA],
        "Re: Firmware 4.2 is on the bench units",
        """
> a battery lasts about 14 months instead of 9

Lovely. Then we print "a year" on the box and nobody can complain.

O.
""",
        cc=[TEAM],
        answers=["firmware-4-2"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "vopros-o-kalibrovke",
        "2026-02-10 11:05 +0300",
        DMITRI,
        [OFFICE],
        "Вопрос о калибровке датчика",
        """
Здравствуйте!

После замены батареи датчик показывает на 3 см больше, чем рейка. Нужно ли
калибровать его заново или достаточно изменить ноль в настройках?

С уважением,
Дмитрий Орлов
""",
        transfer="base64",
    ),
    Mail(
        "ferry-booking",
        "2026-02-12 13:02 +0000",
        FERRY,
        [INES],
        "Your booking NL7Q4X: 14 April, 2 adults, 1 van",
        """
Thank you for sailing with Northline.

Outward  14 April 2026, 21:30, van up to 6 m
Return   17 April 2026, 08:15

Show the attached ticket at the gate.
""",
        html="""
<html><body><h2>Thank you for sailing with Northline.</h2>
<table border="1"><tr><th>Outward</th><td>14 April 2026, 21:30</td></tr>
<tr><th>Return</th><td>17 April 2026, 08:15</td></tr></table>
<p>Show the attached ticket at the gate.</p></body></html>
""",
        files=[pdf("ticket-NL7Q4X.pdf", "NL7Q4X", "2 adults, 1 van up to 6 m")],
    ),
    Mail(
        "letter-february",
        "2026-02-16 06:00 +0000",
        LETTER,
        [INES],
        "Slack Water No. 62: paper rolls, the answers",
        """
THE SLACK WATER LETTER No. 62

* Paper rolls: eleven of you still change one every Monday
* How to read a staff gauge in a swell

Read on: https://slackwater.example.com/62
""",
        html="""
<html><body style="font-family: Georgia, serif">
<h1>The Slack Water Letter <small>No. 62</small></h1>
<ul><li><b>Paper rolls:</b> eleven of you still change one every Monday</li>
<li>How to read a staff gauge in a swell</li></ul>
<p><a href="https://slackwater.example.com/62">Read on</a></p>
</body></html>
""",
        headers=LETTER_HEADERS,
    ),
    Mail(
        "gyeonjeok-munui",
        "2026-02-18 10:37 +0900",
        JIWON,
        [CLAIRE],
        "조위계 견적 문의",
        """
안녕하세요, 해안 측량의 김지원입니다.

작은 어항에 설치할 조위계 한 대의 가격과 납기를 알고 싶습니다.
영어로 답해 주셔도 괜찮습니다.

감사합니다.
김지원 드림
""",
        cc=[OFFICE],
        transfer="base64",
    ),
    Mail(
        "minutes-of-february",
        "2026-02-20 17:02 +0100",
        CLAIRE,
        [TEAM],
        "Minutes of 19 February",
        """
Short and attached. The only thing to remember: nobody promises Nordsiel a
date before the ice report.

Claire
""",
        files=[
            docx(
                "minutes-2026-02-19.docx",
                "Minutes of 19 February 2026",
                "Present: Ines, Oskar, Tomasz, Claire; Priya by phone",
                "Nordsiel: no date before the ice report.",
                "Porthollow: diver booked for 15 April.",
            )
        ],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "alert-battery-low",
        "2026-02-24 05:30 +0000",
        WATCH,
        [Person("", "oncall@saltmark.example"), INES],
        "[WARN] PH-02 battery at 11.4 V",
        """
station:   PH-02 (Porthollow, fish market)
battery:   11.4 V, falling 0.05 V a day, empty about 3 March
rule:      battery below 11.5 V
""",
        headers=ALERT_HEADERS,
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "releves-de-fevrier",
        "2026-02-26 09:12 -0500",
        ELLEN,
        [INES],
        "Relevés de la marée, semaine du 16 février",
        """
Bonjour Ines,

voici les relevés de la semaine, un toutes les quinze minutes. Il manque une
heure le 18 : la glace a soulevé le flotteur. C'est grave ?

Bonne journée,
Ellen
""",
        cc=[CLAIRE],
        files=[csv("relevés-2026-02-16.csv", tide_readings("BC-01", "2026-02-16", 15, 672))],
    ),
    Mail(
        "hosting-february",
        "2026-02-28 04:00 +0000",
        HOSTING,
        [OFFICE],
        "Your invoice NH-260228-91 is ready",
        """
Hello Saltmark Gauges,

your invoice for February is attached. Total: 38.40 EUR. There is nothing to
do, we charge the usual account on 5 March.
""",
        html="""
<html><body><table width="560"><tr><td>
<p>Hello Saltmark Gauges,</p>
<p>your invoice for February is attached. Total: <b>38.40&nbsp;EUR</b>.<br>
There is nothing to do, we charge the usual account on 5 March.</p>
</td></tr></table></body></html>
""",
        files=[pdf("NH-260228-91.pdf", "Nimbus Hosting", "February 2026", "38.40 EUR")],
        headers={"Auto-Submitted": "auto-generated"},
    ),
)
