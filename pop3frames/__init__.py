"""pop3frames turns a POP3 mailbox into tables, and loses no mail on the way."""
