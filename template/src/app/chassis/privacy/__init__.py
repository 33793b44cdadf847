"""Personal data: what there is, and what follows from it. All of it is read from annotations of the models.

`annotations` says how a model is annotated, `inventory` reads all of them; records (GDPR Art. 30), export (Art. 15 and
20), erasure (Art. 17), retention (Art. 5(1)(e)) and the redaction of logs take nothing from anywhere else.
"""
