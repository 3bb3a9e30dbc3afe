"""A small support agent, as a user of Tailrace would write one.

It answers a shop's customers: a model decides, tools look orders, parcels and help pages up in a
little database of its own, and a refund is decided by a component of its own, a child run. From a
clone, with the local stack up (`tailrace up --detach`):

    .venv/bin/python -m examples.support_agent "Where is my parcel? Order A-17."
    .venv/bin/python -m examples.support_agent.fleet --conversations 300
    .venv/bin/tailrace traces ls

Set OPENAI_API_KEY (and OPENAI_BASE_URL, SUPPORT_MODEL) for a real model; without one a scripted
model answers, and says so. `--plain` runs the same functions without Tailrace and without a log.

Read `agent.py` first; `tools.py` holds the steps, `desk.py` what both work with.
"""
