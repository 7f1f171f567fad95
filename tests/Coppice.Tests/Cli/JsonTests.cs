namespace Coppice.Tests.Cli;

/// <summary>The schema of docs/json.md. A change that breaks one of these breaks somebody's script.</summary>
public sealed class JsonTests
{
    [Fact]
    public async Task A_domain()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one", "snapshot revert web one");

        Assert.Equal(
            """
            {
              "domain": {
                "id": "id-00001",
                "name": "web",
                "state": "running",
                "memoryBytes": 268435456,
                "current": {
                  "id": "id-00002",
                  "name": "one"
                },
                "snapshotCount": 1,
                "tips": [
                  {
                    "id": "id-00003",
                    "leftAt": "2026-03-01T12:02:00+00:00",
                    "state": "running",
                    "current": {
                      "id": "id-00002",
                      "name": "one"
                    }
                  }
                ],
                "disks": [
                  {
                    "target": "vda",
                    "kind": "disk",
                    "readOnly": false,
                    "path": "FOLDER/home/domains/id-00001/images/vda/vda.one.id-00004.qcow2",
                    "format": "qcow2",
                    "virtualBytes": 1073741824,
                    "depth": 2
                  }
                ],
                "folder": "FOLDER/home/domains/id-00001",
                "revision": 4,
                "persistence": "persistent",
                "dirty": true,
                "title": null,
                "description": null,
                "generationId": null,
                "tipRetention": null,
                "unnamedLayers": [],
                "renames": [],
                "spares": []
              }
            }

            """,
            (await desk.TypeAsync("show", "web", "--json")).Output);
    }

    [Fact]
    public async Task A_snapshot()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one --description Grüße");

        Assert.Equal(
            """
            {
              "snapshot": {
                "id": "id-00001",
                "name": "one",
                "description": "Grüße",
                "createdAt": "2026-03-01T12:01:00+00:00",
                "state": "running",
                "isCurrent": true,
                "parent": null,
                "children": [],
                "moment": "online",
                "place": "external",
                "consistency": "exact",
                "bytes": 0,
                "memory": {
                  "mode": "external",
                  "file": "FOLDER/home/domains/id-00002/memory/id-00003.mem",
                  "disk": null,
                  "format": "stream",
                  "isVolatile": false
                },
                "disks": [
                  {
                    "target": "vda",
                    "mode": "external",
                    "path": "FOLDER/web.qcow2"
                  }
                ],
                "unverified": true
              }
            }

            """,
            (await desk.TypeAsync("snapshot", "show", "web", "one", "--json")).Output);
    }

    [Fact]
    public async Task A_result()
    {
        using var desk = new Desk();
        await desk.StartAsync();

        Assert.Equal(
            """
            {
              "result": {
                "operation": "snapshot create",
                "operationId": "id-00001",
                "domain": "web",
                "domainId": "id-00002",
                "snapshot": {
                  "id": "id-00003",
                  "name": "one"
                },
                "mechanism": "fake checkpoint",
                "pauseMs": 1,
                "elapsedMs": 0,
                "writtenBytes": 0,
                "steps": [
                  {
                    "kind": "store.overlay",
                    "summary": "create FOLDER/home/domains/id-00002/images/vda/vda.one.id-00004.qcow2",
                    "elapsedMs": 0,
                    "mechanism": null,
                    "pauseMs": null,
                    "writtenBytes": 0,
                    "timings": []
                  },
                  {
                    "kind": "machine.checkpoint",
                    "summary": "checkpoint",
                    "elapsedMs": 0,
                    "mechanism": "fake checkpoint",
                    "pauseMs": 1,
                    "writtenBytes": 0,
                    "timings": []
                  }
                ],
                "warnings": []
              }
            }

            """,
            (await desk.TypeAsync("snapshot", "create", "web", "one", "--json")).Output);
    }

    [Fact]
    public async Task A_plan()
    {
        using var desk = new Desk();
        await desk.StartAsync();

        var plan = (await desk.TypeAsync("kill", "web", "--plan", "--json")).Output;

        Assert.Equal(
            """
            {
              "plan": {
                "operation": "kill",
                "domain": "web",
                "domainId": "id-00001",
                "snapshot": null,
                "mechanism": "end the process",
                "steps": [
                  {
                    "phase": "cleanUp",
                    "kind": "machine.end",
                    "summary": "end id-00002",
                    "undo": "none",
                    "expectedPauseMs": 0
                  }
                ],
                "files": [],
                "writtenBytes": 0,
                "freedBytes": 0,
                "expectedPauseMs": 0,
                "warnings": []
              }
            }

            """,
            plan);
    }

    [Fact]
    public async Task Nothing_and_an_error()
    {
        using var desk = new Desk();

        Assert.Equal("{\n  \"domains\": [],\n  \"broken\": []\n}\n", (await desk.TypeAsync("list", "--json")).Output);
        Assert.Equal(
            """
            {
              "error": {
                "kind": "missingCapability",
                "exitCode": 6,
                "subject": "--connect 'esx://h'",
                "problem": "no driver for it is built in yet",
                "nextStep": "leave it out, or use qemu:///system"
              }
            }

            """,
            (await desk.TypeAsync("list", "--json", "--connect", "esx://h")).Output);
    }

    [Fact]
    public async Task Every_other_answer_is_one_object_with_the_member_that_says_what_it_is()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        await desk.DoAsync("snapshot create web one", "snapshot create web two");

        async Task<string> Members(string line) =>
            string.Join(' ', (await desk.TypeAsync([.. line.Split(' '), "--json"])).Json.EnumerateObject().Select(m => m.Name));
        Assert.Equal("domains broken", await Members("list"));
        Assert.Equal("xml", await Members("dumpxml web"));
        Assert.Equal("capabilities", await Members("capabilities"));
        Assert.Equal("snapshots", await Members("snapshot list web"));
        Assert.Equal("snapshots", await Members("snapshot children web one"));
        Assert.Equal("domain snapshots", await Members("snapshot tree web"));
        Assert.Equal("domain tips", await Members("tips list web"));
        Assert.Equal("snapshot", await Members("snapshot current web"));
        Assert.Equal("snapshot", await Members("snapshot parent web two"));
        Assert.Equal("xml", await Members("snapshot dumpxml web two"));
        Assert.Equal("jobs", await Members("job list web"));
        Assert.Equal("plans results errors", await Members("gc --all"));
        Assert.Equal("result", await Members("snapshot delete web two"));
        Assert.Equal("error", await Members("snapshot show web two"));
        Assert.Equal("error", await Members("snapshot show"));
    }
}
