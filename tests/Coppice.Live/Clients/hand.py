"""A hand on the mouse and the keyboard of a display: finds what is shown by its accessible name, and then really clicks and types.

Usage: hand.py COMMAND [ARGUMENT...]
  rows TABLE                        the rows of a table, as JSON
  click WINDOW ROLE NAME [double]   clicks something that is shown, once it can be clicked
  fill WINDOW ROLE NAME TEXT        clicks it, selects all of it, and types
  windows                           the titles of the windows, as JSON
  size WINDOW WIDTH HEIGHT          makes a window this large
  picture WINDOW FILE               writes what a window shows as PNG
A window is named by the beginning of its title. What is not there yet is waited for.
"""

import json
import subprocess
import sys
import time
import warnings

import gi

gi.require_version("Atspi", "2.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Atspi, Gdk, GLib  # noqa: E402

warnings.simplefilter("ignore")
PATIENCE = 30


def parts(node):
    """A part and whatever it shows, from the outside in. What vanishes meanwhile has none."""
    try:
        yield node
        for index in range(node.get_child_count()):
            yield from parts(node.get_child_at_index(index))
    except (GLib.Error, AttributeError):
        return


def windows():
    desktop = Atspi.get_desktop(0)
    for index in range(desktop.get_child_count()):
        application = desktop.get_child_at_index(index)
        for window in range(application.get_child_count() if application else 0):
            shown = application.get_child_at_index(window)
            if shown and shown.get_state_set().contains(Atspi.StateType.SHOWING):
                yield shown


def is_ready(node):
    states = node.get_state_set()
    return states.contains(Atspi.StateType.SHOWING) and states.contains(Atspi.StateType.SENSITIVE)


def names(part):
    """How a part is called: a cell shows its name first, and more below it; a field is called what the label before it says."""
    yield (part.get_name() or "").split("\n")[0]
    for relation in part.get_relation_set():
        if relation.get_relation_type() == Atspi.RelationType.LABELLED_BY:
            yield relation.get_target(0).get_name()


def find(window, role, name):
    for shown in windows():
        if not (shown.get_name() or "").startswith(window):
            continue
        for part in parts(shown):
            if part.get_role_name() == role and name in names(part) and is_ready(part):
                return part
    return None


def wait(look, what):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            found = look()
        except GLib.Error:
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            shown = {w.get_name(): sorted({f"{p.get_role_name()} {p.get_name()}" for p in parts(w) if p.get_name() and is_ready(p)}) for w in windows()}
            sys.exit(f"{what} is not there; there is {json.dumps(shown, indent=1)}")
        time.sleep(0.1)


def run(*arguments):
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def place(part):
    area = part.get_extents(Atspi.CoordType.SCREEN)
    return area.x, area.y, area.width, area.height


def click(window, role, name, how="once"):
    part = wait(lambda: find(window, role, name), f"{role} '{name}' in '{window}'")
    before = place(part)
    while True:
        # Windows that are just being laid out move their parts.
        time.sleep(0.2)
        if place(part) == before:
            break
        before = place(part)
    if role != "menu item":
        # An open menu is on top.
        raise_window(window)
    x, y, width, height = before
    run("mousemove", x + width // 2, y + height // 2)
    run("click", "--repeat", 2 if how == "double" else 1, "--delay", 80, 1)


def fill(window, role, name, text):
    click(window, role, name)
    run("key", "ctrl+a")
    run("type", text)


def rows(table):
    def cells():
        for shown in windows():
            for part in parts(shown):
                if part.get_name() == table and part.get_state_set().contains(Atspi.StateType.SHOWING):
                    return [[p.get_name() for p in parts(part) if p.get_role_name() == "table cell" and p.get_name()]]
        return None

    print(json.dumps(wait(cells, f"table '{table}'")[0]))


def window_ids(title):
    return subprocess.run(["xdotool", "search", "--onlyvisible", "--name", f"^{title}"], capture_output=True, text=True, check=False).stdout.split()


def raise_window(title):
    """Nobody manages the windows here, so that one covers another. Dialogs have no title, and are on top."""
    for window in window_ids(title):
        run("windowraise", window)


def size(title, width, height):
    (window,) = wait(lambda: window_ids(title), f"window '{title}'")
    run("windowsize", "--sync", window, width, height)


def picture(title, path):
    (window,) = wait(lambda: window_ids(title), f"window '{title}'")
    run("mousemove", 0, 0)
    time.sleep(1)
    lines = subprocess.run(["xdotool", "getwindowgeometry", "--shell", window], capture_output=True, text=True, check=True).stdout.split()
    area = dict(line.split("=") for line in lines)
    pixels = Gdk.pixbuf_get_from_window(Gdk.get_default_root_window(), *(int(area[key]) for key in ("X", "Y", "WIDTH", "HEIGHT")))
    pixels.savev(path, "png", [], [])


COMMANDS = {"rows": rows, "click": click, "fill": fill, "size": size, "picture": picture,
            "windows": lambda: print(json.dumps([w.get_name() for w in windows()]))}

COMMANDS[sys.argv[1]](*sys.argv[2:])
