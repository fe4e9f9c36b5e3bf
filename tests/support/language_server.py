"""Speaks with a TOML language server over its standard input and output, as an editor does."""

import json
import subprocess
from threading import Timer

LONGEST = 30
"""Seconds in which a server says something: then it is stopped, so that a test fails and does not hang."""
ABLE = {"textDocument": {"completion": {"completionItem": {"snippetSupport": True}}}}


class LanguageServer:
    """A server that runs in a folder."""

    def __init__(self, command, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.number = self.opened = 0
        self.problems = {}
        root = folder.as_uri()
        folders = [{"uri": root, "name": folder.name}]
        said = {"processId": None, "rootUri": root, "workspaceFolders": folders, "capabilities": ABLE}
        self.able = self.ask("initialize", **said)["capabilities"]
        self.tell("initialized")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ask("shutdown")
        self.tell("exit")
        self.process.stdin.close()
        self.process.wait(LONGEST)
        self.process.stdout.close()

    def open(self, text):
        """Open a file of this text, which need not exist; returns its problems once the server has judged it."""
        self.opened += 1
        uri = self.uri
        self.tell("textDocument/didOpen", textDocument={"uri": uri, "languageId": "toml", "version": 1, "text": text})
        while uri not in self.problems:
            self._hear(self._read())
        return self.problems[uri]

    @property
    def uri(self):
        """The address of the file that was opened last."""
        return (self.folder / f"{self.opened}.toml").as_uri()

    def at(self, text, mark="|"):
        """Open a file with a mark in it; returns where that is, as requests name it."""
        before = text.partition(mark)[0]
        self.open(text.replace(mark, "", 1))
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        return {"textDocument": {"uri": self.uri}, "position": position}

    def completed(self, text):
        """Return what is offered at the mark: what each would write, by its name."""
        found = self.ask("textDocument/completion", **self.at(text))
        items = found["items"] if isinstance(found, dict) else found or []
        return {item["label"]: (item.get("textEdit") or {}).get("newText", item["label"]) for item in items}

    def hovered(self, text):
        """Return what is shown when the mouse rests at the mark."""
        return self.ask("textDocument/hover", **self.at(text))["contents"]["value"]

    def ask(self, method, **params):
        self.number += 1
        self._write({"id": self.number, "method": method, "params": params or None})
        while True:
            message = self._read()
            if message.get("id") == self.number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._hear(message)

    def tell(self, method, **params):
        self._write({"method": method, "params": params})

    def _hear(self, message):
        """Note problems; answer what the server asks of an editor with nothing."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self.problems[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message:
            items = (message.get("params") or {}).get("items")
            self._write({"id": message["id"], "result": [None for _ in items] if items else None})

    def _write(self, message):
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(content), content))
        self.process.stdin.flush()

    def _read(self):
        patience = Timer(LONGEST, self.process.kill)
        patience.start()
        try:
            return self._message()
        finally:
            patience.cancel()

    def _message(self):
        size = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        assert size, "the server has ended, or said nothing for too long"
        return json.loads(self.process.stdout.read(size))
