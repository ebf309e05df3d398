"""Who writes in the sample mailbox, and what headers their programs add.

Everybody is invented; all domains are reserved ones (RFC 2606, RFC 6761). Saltmark Gauges is a workshop of
five that builds tide gauges for small harbours. The mailbox is that of Ines Albrecht, who runs its office.
"""

from __future__ import annotations

from samples.building import Person

INES = Person("Ines Albrecht", "ines.albrecht@saltmark.example", "Kelp Mail 3.1")
OSKAR = Person("Oskar Lindner", "oskar.lindner@saltmark.example", "Gullwing 12.0")
PRIYA = Person("Priya Raman", "priya.raman@saltmark.example", "plover 0.9 (terminal)")
TOMASZ = Person("Tomasz Wójcik", "tomasz.wojcik@saltmark.example", "Kelp Mail Pocket 2.4")
CLAIRE = Person("Claire Aubry", "claire.aubry@saltmark.example", "Gullwing 12.0")
TEAM = Person("Saltmark team", "team@saltmark.example")
OFFICE = Person("", "office@saltmark.example")
WATCH = Person("Gauge Watch", "alerts@watch.saltmark.example")

GRACE = Person("Grace O'Dell", "harbourmaster@porthollow.example", "Bosun Desk 7")
UWE = Person("Hartmann, Uwe", "uwe.hartmann@hafenamt-nordsiel.example", "Amtspost 5.2")
ELLEN = Person("Ellen Tremblay", "etremblay@baie-claire.example", "Courrier 8.1")
YUKI = Person("佐藤 由紀", "yuki.sato@minato-port.example", "Shiokaze 4.0")
DMITRI = Person("Дмитрий Орлов", "d.orlov@severny-dock.example", "Chaika 2.2")
JIWON = Person("김지원", "jiwon.kim@haean.example", "Badamail 6")
MEI = Person("陈美", "mei.chen@donghai-lab.example", "Haiyan 3.3")

WORKSHOP = Person("Brückner Feinmechanik", "rechnung@brueckner-feinmechanik.example", "Kontor 2025.2")
HOSTING = Person("Nimbus Hosting Billing", "billing@nimbus-hosting.example")
LETTER = Person("The Slack Water Letter", "letter@slackwater.example.com", "Sendwell 1.8")
FERRY = Person("Northline Ferries", "booking@northline-ferries.example")
RAIL = Person("Railbird Tickets", "no-reply@railbird.example")
CONFERENCE = Person("Coastal Measurement Days", "office@cmd2026.example.org", "Gullwing 11.4")

LIST = Person("", "tide-users@lists.example.org")
RAFAEL = Person("Rafael Okafor", "rafael@okafor.example.net", "plover 1.0 (terminal)")
SUNNIVA = Person("Sunniva Berg", "sunniva.berg@fjordmaal.example", "Kelp Mail 3.0")

LIST_HEADERS = {
    "List-Id": "Users of tide gauges <tide-users.lists.example.org>",
    "List-Unsubscribe": "<https://lists.example.org/tide-users/leave>",
    "Precedence": "list",
}
LETTER_HEADERS = {
    "List-Unsubscribe": "<https://slackwater.example.com/leave?reader=4711>",
    "Precedence": "bulk",
}
ALERT_HEADERS = {"Auto-Submitted": "auto-generated", "X-Station": "PH-02"}
