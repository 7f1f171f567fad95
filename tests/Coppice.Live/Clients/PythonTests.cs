using System.Globalization;
using System.Text.Json.Nodes;
using Coppice.Live.Qemu;
using Coppice.Live.Tree;
using Coppice.Live.Witness;

namespace Coppice.Live.Clients;

/// <summary>Scripts that use libvirt's Python module, unmodified, on <c>coppice serve</c>.</summary>
public sealed class PythonTests
{
    private const string Python = "/usr/bin/python3";

    [Fact]
    public async Task A_script_sees_a_domain_from_its_definition_to_its_end_and_is_told_of_it()
    {
        await using var served = await StartAsync();
        var definition = served.Home.Write("web.xml", Cli.CliHome.Xml("web", await served.Home.ImageAsync("web.qcow2")));
        var report = await ReportAsync(served, "life", definition);
        Same("""{"type": "QEMU", "alive": 1, "before": 0, "defined": ["web"], "active": 1, "state": [1, 1], "suspended": [3, 1]}""", report, but: "told");
        Same("""[["web", 0, 0], ["web", 4, 0], ["web", 2, 0], ["web", 3, 0], ["web", 4, 0], ["web", 6, 2], ["web", 5, 1], ["web", 1, 0]]""", report["told"]!);
    }

    [Fact]
    public async Task A_script_knows_what_went_wrong_by_libvirts_codes()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("web");
        var report = await ReportAsync(served, "errors", "web");
        Assert.Equal((42, 10, "Domain not found: no domain with matching name 'nobody'"), Of("no domain"));
        Assert.Equal((72, 35, "Domain snapshot not found: no domain snapshot with matching name 'nothing'"), Of("no snapshot"));
        Assert.Equal((55, 10), (Of("not running").Code, Of("not running").Domain));
        Assert.Equal(8, Of("no such flag").Code);
        Assert.Equal(27, Of("bad document").Code);
        Assert.Equal(3, Of("not supported").Code);

        (int Code, int Domain, string Message) Of(string what) =>
            ((int)report[what]!["code"]!, (int)report[what]!["domain"]!, (string)report[what]!["message"]!);
    }

    [Fact]
    public async Task A_script_makes_a_tree_of_snapshots_walks_it_and_takes_it_down()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("web");
        await served.Home.DoAsync("start", "web");
        var report = await ReportAsync(served, "snapshots", "web");
        Same(
            """
            {
              "current after the revert": "one", "active": 1, "names": ["one", "three", "two"],
              "parents": {"one": 72, "three": "one", "two": "one"},
              "tree": {"one": {"three": {}, "two": {}}},
              "current": ["three"], "described": true,
              "after one is gone": {"three": 72, "two": 72}, "left": 0
            }
            """,
            report);
    }

    [Fact]
    public async Task A_script_that_draws_graphs_has_its_figures()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("web");
        await served.Home.DoAsync("start", "web");
        Same(
            """
            {
              "name": "web", "groups": ["balloon", "block", "cpu", "net", "state", "vcpu"], "state": 1, "KiB": [32768, 32768], "processors": 1,
              "has used": true, "resident": true, "capacity": 16777216, "requests": 5, "host": "x86_64", "host's memory": true
            }
            """,
            await ReportAsync(served, "figures", "web"));
    }

    [Fact]
    public async Task A_script_types_at_a_console_and_leaves_it_to_the_next()
    {
        LiveDomain.Require();
        await using var served = await StartAsync();
        await served.BootWitnessAsync("web");
        var report = await ReportAsync(served, "console", "web");
        Assert.Contains("itworks", (string)report["heard"]!, StringComparison.Ordinal);
        Assert.Equal(9, (int)report["busy"]!["code"]!);
    }

    [Fact]
    public async Task A_script_is_handed_a_connection_to_a_screen()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("web", "<graphics type='vnc'/><video><model type='vga'/></video>");
        await served.DefineAsync("blind");
        await served.Home.DoAsync("start", "web");
        await served.Home.DoAsync("start", "blind");
        var report = await ReportAsync(served, "screen", "web", "blind");
        Same("""["RFB 003.008\n", "RFB 003.008\n"]""", report["greetings"]!);
        Same("""["image/x-portable-pixmap", "P6"]""", report["picture"]!);
        Assert.Equal(9, (int)report["none"]!["code"]!);
    }

    [Fact]
    public async Task A_script_that_pings_keeps_a_server_and_gives_up_one_that_stands_still()
    {
        const int ByKeepAlive = 2;
        await using var served = await StartAsync();
        var report = await ReportAsync(served, "keepalive", served.ServerId.ToString(CultureInfo.InvariantCulture));
        Same($$"""{"accepted": true, "alive after pings": 1, "closed before": [], "closed": [{{ByKeepAlive}}], "alive": 0}""", report);
    }

    [Fact]
    public async Task Two_threads_share_a_connection()
    {
        await using var served = await StartAsync();
        await served.DefineAsync("web");
        await served.Home.DoAsync("start", "web");
        var report = await ReportAsync(served, "threads", "web");
        Same("""{"snapshots": ["s0", "s1", "s2"], "all right": true, "wrong": []}""", report, but: "asked");
        Assert.True((int)report["asked"]! > 0, "nothing was answered while snapshots were taken");
    }

    private static async Task<ServedHome> StartAsync()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        Assert.SkipUnless(
            File.Exists("/usr/lib/python3/dist-packages/libvirt.py"), "libvirt's Python module (python3-libvirt) is not installed: run build/clients");
        return await ServedHome.StartAsync();
    }

    private static async Task<JsonObject> ReportAsync(ServedHome served, string topic, params string[] arguments)
    {
        var script = Path.Combine(WitnessGuest.RepositoryRoot(), "tests/Coppice.Live/Clients/libvirt_client.py");
        var run = await served.Home.RunProgramAsync(Python, [script, served.Uri, topic, .. arguments]);
        Assert.True(run.ExitCode == 0, run.Errors);
        return JsonNode.Parse(run.Output)!.AsObject();
    }

    private static void Same(string expected, JsonObject report, string but)
    {
        var compared = report.DeepClone().AsObject();
        compared.Remove(but);
        Same(expected, compared);
    }

    private static void Same(string expected, JsonNode actual) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), actual), $"{actual} instead of {expected}");
}
