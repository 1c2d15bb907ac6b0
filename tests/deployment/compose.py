"""Reads what `docker-compose config` printed (standard input) and holds it against what the deployment promises."""

import sys

import yaml

PUBLISHED = {"intake", "dispatch", "grafana"}
SERVICES = {"intake", "triage", "dispatch", "notification"}

document = yaml.safe_load(sys.stdin)
networks = document["networks"]
problems = []


def leads_outside(name):
    """A network on which a container may open connections to the world."""
    options = networks[name].get("driver_opts") or {}
    masquerades = options.get("com.docker.network.bridge.enable_ip_masquerade") != "false"
    return not networks[name].get("internal") and masquerades


for name, service in document["services"].items():
    def expect(condition, what):
        if not condition:
            problems.append(f"{name}: {what}")

    user = str(service.get("user", "")).split(":")[0]
    expect(user not in ("", "0", "root"), "runs as root")
    expect(service.get("read_only") is True, "may write its file system")
    expect(service.get("cap_drop") == ["ALL"], "keeps capabilities")
    expect("no-new-privileges:true" in service.get("security_opt", []), "may gain privileges")
    expect(not service.get("privileged") and not service.get("cap_add"), "has privileges")
    expect(service.get("pids_limit") and service.get("mem_limit"), "has no limits")
    expect(service.get("networks"), "is on the default network, which leads outside")
    for network in service.get("networks", {}):
        expect(not leads_outside(network) or name == "notification", f"reaches the world over {network}")
    expect(not service.get("ports") or name in PUBLISHED, "publishes ports")
    for port in service.get("ports", []):
        published = port if isinstance(port, str) else f"{port.get('host_ip', '')}:{port['published']}"
        expect(published.startswith("127.0.0.1:"), f"publishes {published} beyond loopback")
    for variable, value in (service.get("environment") or {}).items():
        secret = any(word in variable for word in ("PASSWORD", "SEED", "URL_FILE"))
        expect(not secret or str(value).startswith("/run/secrets/"), f"has a secret in {variable}")
    if name not in ("opentelemetry", "client"):
        expect("healthcheck" in service, "has no health check")
    if name in SERVICES:
        sources = {secret["source"] for secret in service["secrets"]} - {"authority"}
        expect(all(source.startswith(f"{name}-") for source in sources), f"has another's secrets: {sources}")

missing = SERVICES - set(document["services"])
if missing:
    problems.append(f"missing: {missing}")
if not any(leads_outside(network) for network in document["services"]["notification"]["networks"]):
    problems.append("notification: cannot reach the world")

print("\n".join(problems) or f"{len(document['services'])} containers are as they should be")
sys.exit(1 if problems else 0)
