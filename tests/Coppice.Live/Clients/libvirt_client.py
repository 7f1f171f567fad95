"""What a script does with libvirt's Python module, told as one line of JSON.

Usage: libvirt_client.py URI TOPIC [ARGUMENT...]; the topics are the functions below whose names begin with "topic_".
"""

import json
import os
import signal
import socket
import sys
import threading
import time

import libvirt

PATIENCE = 60


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


def run_events():
    """libvirt's own event loop, in a thread, as its documentation has it."""
    libvirt.virEventRegisterDefaultImpl()

    def loop():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=loop, daemon=True).start()


def refusal(call):
    try:
        call()
    except libvirt.libvirtError as error:
        return {"code": error.get_error_code(), "domain": error.get_error_domain(), "message": error.get_error_message()}
    return None


def topic_life(connection, definition):
    """A domain from its definition to its end, and what is told of it."""
    told, reboots = [], []
    connection.domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda c, domain, event, detail, _: told.append([domain.name(), event, detail]), None)
    connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, lambda c, domain, _: reboots.append(domain.name()), None)
    report = {"type": connection.getType(), "alive": connection.isAlive(), "before": len(connection.listAllDomains())}
    with open(definition, encoding="utf-8") as file:
        domain = connection.defineXML(file.read())
    report["defined"] = [d.name() for d in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE)]
    domain.create()
    report["active"] = connection.lookupByUUIDString(domain.UUIDString()).isActive()
    report["state"] = domain.state()
    domain.suspend()
    report["suspended"] = domain.state()
    domain.resume()
    domain.reset()
    wait_for(lambda: reboots, "no reboot was told")
    domain.destroy()
    domain.undefine()
    wait_for(lambda: told and told[-1][1] == libvirt.VIR_DOMAIN_EVENT_UNDEFINED, "the end was not told")
    report["told"] = told
    return report


def topic_errors(connection, name):
    """What goes wrong, and by which code a script knows it."""
    domain = connection.lookupByName(name)
    return {
        "no domain": refusal(lambda: connection.lookupByName("nobody")),
        "no snapshot": refusal(lambda: domain.snapshotLookupByName("nothing")),
        "not running": refusal(domain.suspend),
        "no such flag": refusal(lambda: domain.snapshotListNames(1 << 20)),
        "bad document": refusal(lambda: connection.defineXML("<domain")),
        "not supported": refusal(lambda: connection.storagePoolDefineXML("<pool/>")),
    }


def take(domain, name):
    return domain.snapshotCreateXML(f"<domainsnapshot><name>{name}</name><description>by a script</description></domainsnapshot>")


def topic_snapshots(connection, name):
    """A tree with a branch, walked from both ends."""
    domain = connection.lookupByName(name)
    take(domain, "one")
    take(domain, "two")
    domain.revertToSnapshot(domain.snapshotLookupByName("one"))
    report = {"current after the revert": domain.snapshotCurrent().getName(), "active": domain.isActive()}
    take(domain, "three")

    def parent(snapshot):
        try:
            return snapshot.getParent().getName()
        except libvirt.libvirtError as error:
            return error.get_error_code()

    def below(snapshot):
        return {child.getName(): below(child) for child in snapshot.listAllChildren()}

    report["names"] = sorted(domain.snapshotListNames())
    report["parents"] = {s.getName(): parent(s) for s in domain.listAllSnapshots()}
    report["tree"] = {root.getName(): below(root) for root in domain.listAllSnapshots(libvirt.VIR_DOMAIN_SNAPSHOT_LIST_ROOTS)}
    report["current"] = [s.getName() for s in domain.listAllSnapshots() if s.isCurrent()]
    report["described"] = "<description>by a script</description>" in domain.snapshotLookupByName("two").getXMLDesc()
    domain.snapshotLookupByName("one").delete()
    report["after one is gone"] = {s.getName(): parent(s) for s in domain.listAllSnapshots()}
    domain.snapshotLookupByName("two").delete()
    domain.snapshotLookupByName("three").delete()
    report["left"] = domain.snapshotNum()
    return report


def topic_figures(connection, name):
    """What programs that draw graphs ask for."""
    domain = connection.lookupByName(name)
    ((of, figures),) = connection.domainListGetStats([domain])
    state, most, now, processors, time_used = domain.info()
    return {
        "name": of.name(),
        "groups": sorted({key.split(".")[0] for key in figures}),
        "state": state, "KiB": [most, now], "processors": processors, "has used": time_used > 0,
        "resident": domain.memoryStats()["rss"] > 0,
        "capacity": domain.blockInfo("vda")[0],
        "requests": len(domain.blockStats("vda")),
        "host": connection.getInfo()[0], "host's memory": connection.getMemoryStats(-1)["total"] > 0,
    }


def topic_console(connection, name):
    """A stream in both directions."""
    domain = connection.lookupByName(name)
    stream = connection.newStream(0)
    domain.openConsole(None, stream, 0)
    busy = refusal(lambda: domain.openConsole(None, connection.newStream(0), 0))
    stream.send(b"\necho it''works; echo the''end\n")
    heard = b""
    while b"theend" not in heard:
        part = stream.recv(1024)
        if not part:
            break
        heard += part
    stream.finish()
    first, second = connection.newStream(0), connection.newStream(0)
    domain.openConsole(None, first, 0)
    domain.openConsole(None, second, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
    while first.recv(1024):
        pass
    first.finish()
    second.abort()
    domain.openConsole(None, connection.newStream(0), 0)
    return {"heard": heard.decode(errors="replace"), "busy": busy}


def topic_screen(connection, name, other):
    """A connection to a screen, which is handed over."""
    greetings = []
    for _ in range(2):
        with socket.socket(fileno=connection.lookupByName(name).openGraphicsFD(0)) as screen:
            greetings.append(screen.recv(12).decode())
    stream = connection.newStream(0)
    kind = connection.lookupByName(name).screenshot(stream, 0)
    picture = stream.recv(2).decode()
    stream.abort()
    return {"greetings": greetings, "none": refusal(lambda: connection.lookupByName(other).openGraphicsFD(0)), "picture": [kind, picture]}


def topic_keepalive(connection, server):
    """A server that answers pings is kept; one that stands still is given up."""
    closed = []
    connection.registerCloseCallback(lambda c, reason, _: closed.append(reason), None)
    refused = connection.setKeepAlive(1, 2)
    time.sleep(4)
    report = {"accepted": refused == 0, "alive after pings": connection.isAlive(), "closed before": list(closed)}
    os.kill(int(server), signal.SIGSTOP)
    try:
        wait_for(lambda: closed, "nobody noticed that the server stands still")
    finally:
        os.kill(int(server), signal.SIGCONT)
    report["closed"] = closed
    report["alive"] = connection.isAlive()
    return report


def topic_threads(connection, name):
    """One thread takes snapshots while another asks, on one connection."""
    domain = connection.lookupByName(name)
    asked, wrong, done = [], [], threading.Event()

    def ask():
        try:
            while not done.is_set():
                state = connection.lookupByName(name).state()[0]
                asked.append(state in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED))
        except libvirt.libvirtError as error:
            wrong.append(str(error))

    other = threading.Thread(target=ask)
    other.start()
    before = len(asked)
    try:
        for number in range(3):
            take(domain, f"s{number}")
    finally:
        done.set()
        other.join()
    return {"snapshots": sorted(domain.snapshotListNames()), "asked": len(asked) - before, "all right": all(asked), "wrong": wrong}


def main():
    uri, topic, *arguments = sys.argv[1:]
    libvirt.registerErrorHandler(lambda _, error: None, None)
    run_events()
    connection = libvirt.open(uri)
    report = globals()[f"topic_{topic}"](connection, *arguments)
    print(json.dumps(report))


main()
