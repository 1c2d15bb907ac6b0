"""Reads messages as an independent program does: every defect counts, and every DKIM signature must verify.

usage: check.py FOLDER [NAME=RECORD ...]   where NAME is a DNS name and RECORD its TXT record
Prints one JSON object for each file, in the order of the names.
"""

import email
import email.policy
import json
import pathlib
import sys

records = dict(argument.split("=", 1) for argument in sys.argv[2:])


def lookup(name, timeout=5):
    return records.get(name.decode().rstrip("."), "").encode()


def defects(message):
    found = [repr(defect) for part in message.walk() for defect in part.defects]
    for part in message.walk():
        for name, value in part.items():
            found += [f"{name}: {defect!r}" for defect in getattr(value, "defects", [])]
    return found


def signatures(raw, message):
    count = len(message.get_all("DKIM-Signature", []))
    if count == 0:
        return []
    import dkim

    results = []
    for index in range(count):
        verifier = dkim.DKIM(raw)
        valid = verifier.verify(idx=index, dnsfunc=lookup)
        fields = {name.decode(): value.decode() for name, value in verifier.signature_fields.items()}
        names = "".join(fields["h"].split()).split(":")
        results.append({"valid": bool(valid), "algorithm": fields["a"], "signed": names})
    return results


for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    raw = path.read_bytes()
    strict = email.policy.default.clone(raise_on_defect=True)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    found = defects(message)
    try:
        for part in email.message_from_bytes(raw, policy=strict).walk():
            part.items()
    except Exception as error:
        found.append(f"strict: {error!r}")
    parts = []
    for part in message.walk():
        text = part.get_content() if part.get_content_maintype() == "text" else ""
        parts.append({"type": part.get_content_type(), "text": text})
    print(json.dumps({
        "headers": message.keys(),
        "values": {name: str(value) for name, value in message.items()},
        "defects": found,
        "parts": parts,
        "signatures": signatures(raw, message),
    }))
