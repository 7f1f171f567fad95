using System.Diagnostics;
using System.Text.RegularExpressions;
using Coppice.Live.Cli;
using Coppice.Live.Tree;

namespace Coppice.Live.Peers;

/// <summary>What libvirt does to its users' data, reproduced there, is tried here in the same words and does not happen.</summary>
public sealed partial class DefectsThroughVirshTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cd-").FullName;
    private CoppiceServe _peer = null!;

    public async ValueTask InitializeAsync()
    {
        LiveDomain.Require();
        Assert.SkipUnless(File.Exists(VirshClient.All[0].Program), $"{VirshClient.All[0].Program} is not there: run build/libvirt-peers, which also says why it cannot be");
        _peer = await CoppiceServe.StartAsync($"{_folder}/c");
        Directory.CreateDirectory(_peer.Folder);
        await RunAsync("qemu-img", "create", "-q", "-f", "qcow2", Image, "16M");
        await File.WriteAllTextAsync($"{_peer.Folder}/web.xml", $"""
            <domain type='qemu'><name>web</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
            <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{Image}'/><target dev='vda' bus='virtio'/></disk></devices></domain>
            """);
        await VirshAsync("define", "web.xml");
    }

    public async ValueTask DisposeAsync()
    {
        if (_peer is not null)
        {
            await _peer.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_revert_when_no_snapshot_is_current_ends_no_server()
    {
        await ExternalAsync("e1");
        await WriteAsync(0x22);
        await ExternalAsync("e2");
        foreach (var name in (string[])["e1", "e2"])
        {
            await File.WriteAllTextAsync($"{_peer.Folder}/{name}.xml", await VirshAsync("snapshot-dumpxml", "web", name));
        }

        await VirshAsync("snapshot-delete", "web", "e2", "--metadata");
        await VirshAsync("snapshot-delete", "web", "e1", "--metadata");
        await VirshAsync("snapshot-create", "web", "e1.xml", "--redefine");
        await VirshAsync("snapshot-create", "web", "e2.xml", "--redefine");
        Assert.Contains("no current snapshot", await RefusedAsync("snapshot-current", "web"), StringComparison.Ordinal);
        await VirshAsync("snapshot-revert", "web", "e2");
        await ReadsAsync(0x22);
        await VirshAsync("snapshot-revert", "web", "e1");
        await ReadsAsync(0);
        await IsSoundAsync();
    }

    [Fact]
    public async Task Deleting_a_branch_takes_no_file_from_another_one()
    {
        await WriteAsync(0x11);
        await ExternalAsync("e1");
        await WriteAsync(0x22);
        await ExternalAsync("e2");
        await VirshAsync("snapshot-revert", "web", "e1");
        await ExternalAsync("e4");
        await VirshAsync("snapshot-delete", "web", "e4");
        await VirshAsync("snapshot-revert", "web", "e1");
        await ReadsAsync(0x11);
        await VirshAsync("snapshot-revert", "web", "e2");
        await ReadsAsync(0x22);
        await IsSoundAsync();
    }

    [Fact]
    public async Task Writing_after_a_revert_to_an_internal_snapshot_changes_no_external_one()
    {
        await VirshAsync("snapshot-create-as", "web", "i1", "--diskspec", "vda,snapshot=internal");
        await WriteAsync(0x11);
        await ExternalAsync("x1");
        await VirshAsync("snapshot-revert", "web", "i1");
        await ReadsAsync(0);
        await WriteAsync(0x22);
        await VirshAsync("snapshot-revert", "web", "x1");
        await ReadsAsync(0x11);
        await VirshAsync("snapshot-revert", "web", "i1");
        await ReadsAsync(0);
        await IsSoundAsync();
    }

    [Fact]
    public async Task A_revert_that_cannot_be_leaves_the_guest_running()
    {
        await VirshAsync("start", "web");
        await VirshAsync("snapshot-create-as", "web", "m1", "--memspec", $"{_peer.Folder}/m1.mem", "--diskspec", $"vda,file={_peer.Folder}/vda.m1");
        File.Delete($"{_peer.Folder}/m1.mem");
        Assert.Contains("m1.mem", await RefusedAsync("snapshot-revert", "web", "m1"), StringComparison.Ordinal);
        Assert.Equal("running", await VirshAsync("domstate", "web"));
        await VirshAsync("snapshot-create-as", "web", "after", "--disk-only");
    }

    [Fact]
    public async Task A_commit_by_hand_leaves_no_snapshot_with_something_else()
    {
        await WriteAsync(0x11);
        await VirshAsync("start", "web");
        foreach (var name in (string[])["e1", "e2"])
        {
            await VirshAsync("snapshot-create-as", "web", name, "--disk-only");
        }

        Assert.Contains("is what snapshot 'e2' has", await RefusedAsync("blockcommit", "web", "vda", "--active", "--pivot"), StringComparison.Ordinal);
        Assert.Contains("is what snapshot 'e2' has", await RefusedAsync("blockpull", "web", "vda", "--wait"), StringComparison.Ordinal);
        await VirshAsync("snapshot-delete", "web", "e2");
        await VirshAsync("snapshot-revert", "web", "e1", "--force");
        await VirshAsync("snapshot-delete", "web", "e1");
        Assert.Equal("", await VirshAsync("snapshot-list", "web", "--name"));
    }

    private string Image => $"{_peer.Folder}/vda.qcow2";

    /// <summary>A snapshot of a domain that is off, beside its image.</summary>
    private Task<string> ExternalAsync(string name) => VirshAsync("snapshot-create-as", "web", name, "--disk-only", "--diskspec", "vda,snapshot=external");

    private async Task WriteAsync(byte value) =>
        await RunAsync("qemu-io", "-f", "qcow2", "-c", $"write -q -P {value} 0 64k", await HeadAsync());

    private async Task ReadsAsync(byte value) =>
        await RunAsync("qemu-io", "-f", "qcow2", "-c", $"read -q -P {value} 0 64k", await HeadAsync());

    /// <summary>The image that the disk is on, as virsh is told.</summary>
    private async Task<string> HeadAsync() =>
        SourceOfDisk().Match(await VirshAsync("dumpxml", "web", "--xpath", "//disk/source")) is { Success: true } found ? found.Groups[1].Value : "";

    /// <summary>Nothing is missing, damaged or left over.</summary>
    private async Task IsSoundAsync()
    {
        Assert.Equal("shut off", await VirshAsync("domstate", "web"));
        var check = await RunAsync(CliHome.Program, "check", "web", "--home", $"{_folder}/c/h");
        Assert.DoesNotContain("damage", check, StringComparison.OrdinalIgnoreCase);
    }

    private async Task<string> VirshAsync(params string[] words)
    {
        var run = await AskAsync(words);
        Assert.True(run.ExitCode == 0, $"virsh {string.Join(' ', words)}: {run.Output}{run.Errors}");
        return run.Output.Trim();
    }

    private async Task<string> RefusedAsync(params string[] words)
    {
        var run = await AskAsync(words);
        Assert.True(run.ExitCode == 1, $"virsh {string.Join(' ', words)} ended with {run.ExitCode}: {run.Output}{run.Errors}");
        return run.Errors;
    }

    private Task<CommandRun> AskAsync(string[] words) =>
        VirshClient.All[0].RunAsync(_peer, new VirshLine(VirshLineKind.Command, "", string.Join(' ', words), null, [.. words]));

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {await output}{await errors}");
        return await output;
    }

    [GeneratedRegex("file=\"([^\"]+)\"")]
    private static partial Regex SourceOfDisk();
}
