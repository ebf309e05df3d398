"""Odd senders and recipients."""

from __future__ import annotations

from samples.building import Sample
from samples.oddity import odd
from samples.people import CLAIRE, GRACE, INES, OSKAR, PRIYA, RAFAEL, SUNNIVA, TOMASZ, UWE

BERTHS = [f"Berth {number:02d} <berth-{number:02d}@porthollow.example>" for number in range(1, 81)]

ODD_ADDRESSES: tuple[Sample, ...] = (
    odd(
        "from-missing",
        "no From header",
        GRACE,
        "Lost glove, left hand",
        "Found on the pontoon.\n",
        headers={"From": None},
        from_=None,
    ),
    odd(
        "from-several-addresses",
        "two authors in one From",
        CLAIRE,
        "From both of us",
        "We agree for once.\n",
        headers={
            "From": "Claire Aubry <claire.aubry@saltmark.example>, oskar.lindner@saltmark.example",
            "Sender": "claire.aubry@saltmark.example",
        },
        from_="Claire Aubry <claire.aubry@saltmark.example>, oskar.lindner@saltmark.example",
    ),
    odd(
        "from-display-name-is-another-address",
        "a spoofed name: the address of somebody else, while the real address is in the brackets",
        GRACE,
        "New bank details for the harbour",
        "Please use the new account from today. Do not call, I am at sea.\n",
        headers={"From": '"harbourmaster@porthollow.example" <desk@parcel-counter.invalid>'},
        from_="harbourmaster@porthollow.example <desk@parcel-counter.invalid>",
    ),
    odd(
        "from-display-name-is-another-address-unquoted",
        "the same spoof without the quotes that an @ in a name needs",
        GRACE,
        "New bank details for the harbour, reminder",
        "Still at sea.\n",
        headers={"From": "harbourmaster@porthollow.example <desk@parcel-counter.invalid>"},
        from_="harbourmaster@porthollow.example <desk@parcel-counter.invalid>",
    ),
    odd(
        "to-group",
        "a group of two with its name: its members are the recipients",
        GRACE,
        "Harbour board, 3 June",
        "Agenda as last time.\n",
        headers={
            "To": "Harbour board: ines.albrecht@saltmark.example,"
            " Sunniva Berg <sunniva.berg@fjordmaal.example>;"
        },
        to=["ines.albrecht@saltmark.example", SUNNIVA.shown],
    ),
    odd(
        "to-undisclosed-recipients",
        "an empty group: nobody",
        RAFAEL,
        "Moving house",
        "New street, same mail.\n",
        headers={"To": "undisclosed-recipients:;"},
        to=[],
    ),
    odd(
        "to-missing",
        "no To header",
        OSKAR,
        "Note to the archive",
        "Spare keys are in the blue tin.\n",
        headers={"To": None},
        to=[],
    ),
    odd(
        "to-commas-in-quoted-names",
        "quoted names with commas, quotes and a backslash",
        CLAIRE,
        "Dinner on the 17th",
        "A table for four.\n",
        headers={
            "To": '"Albrecht, Ines" <ines.albrecht@saltmark.example>,\r\n'
            ' "Lindner, Oskar \\"Ossi\\"" <oskar.lindner@saltmark.example>,\r\n'
            ' "Raman, P., \\\\o/" <priya.raman@saltmark.example>'
        },
        to=[
            "Albrecht, Ines <ines.albrecht@saltmark.example>",
            'Lindner, Oskar "Ossi" <oskar.lindner@saltmark.example>',
            "Raman, P., \\o/ <priya.raman@saltmark.example>",
        ],
    ),
    odd(
        "to-comments-in-addresses",
        "a comment that is the only name, and one in the middle of a name",
        GRACE,
        "Who has the boat hook?",
        "Asking for the ferry.\n",
        headers={
            "To": "ines.albrecht@saltmark.example (Ines Albrecht, office),\r\n"
            " Oskar (the founder) Lindner <oskar.lindner@saltmark.example>"
        },
        to=[
            "Ines Albrecht, office <ines.albrecht@saltmark.example>",
            "Oskar Lindner <oskar.lindner@saltmark.example>",
        ],
    ),
    odd(
        "to-unquoted-dots-in-name",
        "a title and an initial with dots and no quotes",
        UWE,
        "Prüfprotokoll",
        "Bitte gegenzeichnen.\n",
        headers={"To": "Dr. O. Lindner <oskar.lindner@saltmark.example>"},
        to=["Dr. O. Lindner <oskar.lindner@saltmark.example>"],
    ),
    odd(
        "to-missing-at-sign",
        "recipients without an @, in brackets and bare, between good ones: kept as written",
        TOMASZ,
        "Test from the van",
        "Does this address book work?\n",
        headers={
            "To": "ines.albrecht, Oskar Lindner <oskar>,\r\n Priya Raman <priya.raman@saltmark.example>"
        },
        to=["ines.albrecht", "Oskar Lindner <oskar>", PRIYA.shown],
    ),
    odd(
        "to-smtputf8-addresses",
        "addresses with letters beyond ASCII on both sides of the @ (RFC 6532)",
        TOMASZ,
        "Zaproszenie na regaty",
        "Do zobaczenia na wodzie!\n",
        headers={"To": "Łucja Żak <łucja@żagle.example>, 潮@みなと.example"},
        to=["Łucja Żak <łucja@żagle.example>", "潮@みなと.example"],
    ),
    odd(
        "to-encoded-word-with-comma",
        "a comma inside an encoded word: it does not divide",
        CLAIRE,
        "Copy of the order",
        "For your files.\n",
        headers={"To": "=?utf-8?Q?Hartmann=2C_Uwe?= <uwe.hartmann@hafenamt-nordsiel.example>"},
        to=[UWE.shown],
    ),
    odd(
        "to-encoded-word-inside-quotes",
        "an encoded word inside quotes, where none is allowed, decoded all the same",
        GRACE,
        "Mast",
        "It stands.\n",
        headers={"To": '"=?utf-8?Q?Tomasz_W=C3=B3jcik?=" <tomasz.wojcik@saltmark.example>'},
        to=[TOMASZ.shown],
    ),
    odd(
        "to-route-address",
        "an address with a route of the 1980s before it",
        RAFAEL,
        "From the museum's machine",
        "It still relays.\n",
        headers={"To": "Ines Albrecht <@relay.example,@old.example:ines.albrecht@saltmark.example>"},
        to=[INES.shown],
    ),
    odd(
        "to-empty-angle-brackets",
        "empty brackets before a good recipient",
        PRIYA,
        "Script test, ignore",
        "The first one should be dropped.\n",
        headers={"To": "<>, Ines Albrecht <ines.albrecht@saltmark.example>"},
        to=[INES.shown],
    ),
    odd(
        "to-eighty-recipients",
        "eighty recipients on eighty lines",
        GRACE,
        "Water will be off on Tuesday",
        "All berths, 9 to 11.\n",
        headers={"To": ",\r\n ".join(BERTHS)},
        to=BERTHS,
    ),
    odd(
        "bcc-left-in",
        "a Bcc header that the sender's program forgot to remove",
        OSKAR,
        "Prices for next year",
        "Between us.\n",
        headers={"Bcc": "claire.aubry@saltmark.example"},
        bcc=["claire.aubry@saltmark.example"],
    ),
)
