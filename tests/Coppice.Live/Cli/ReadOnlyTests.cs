using Coppice.Live.Tree;

namespace Coppice.Live.Cli;

/// <summary>
/// Folders on a read-only mount, which stops root too. Only the command sees the mount, in a namespace of its own that ends
/// with it; the guest was started before and is not in there.
/// </summary>
public sealed class ReadOnlyTests
{
    private const string Why = "read-only", WayOut = "remount it writable";

    [Fact]
    public async Task A_read_only_home_is_named_by_what_changes_something_and_can_be_read_and_planned_on()
    {
        await using var home = await PrepareAsync();
        var other = home.Write("e.xml", CliHome.Xml("other", await home.ImageAsync("other.qcow2")));
        var before = Files(home.Home);
        string[][] changes =
        [
            ["snapshot", "create", "web", "s2"], ["snapshot", "revert", "web", "s1"], ["snapshot", "undo", "web"],
            ["define", other], ["start", "cold"], ["kill", "web", "--yes"], ["undefine", "cold", "--yes"],
        ];
        foreach (var change in changes)
        {
            await RefuseAsync(home, home.Home, change);
        }

        string[][] readings =
        [
            ["list"], ["show", "web"], ["snapshot", "list", "web"], ["snapshot", "tree", "web"], ["dumpxml", "web"],
            ["snapshot", "dumpxml", "web", "s1"], ["snapshot", "create", "web", "s2", "--plan"],
            ["snapshot", "revert", "web", "s1", "--plan"], ["start", "cold", "--plan"], ["define", other, "--plan"],
        ];
        foreach (var reading in readings)
        {
            var run = await ReadOnlyAsync(home, home.Home, reading);
            Assert.True(run is { ExitCode: 0, Output.Length: > 0 }, $"{string.Join(' ', reading)}: {run.Errors}");
        }

        Assert.Equal(before, Files(home.Home));
        await GoesOnAsync(home);
    }

    [Theory]
    [InlineData("images")]
    [InlineData("memory")]
    [InlineData("journal")]
    public async Task A_read_only_folder_of_the_domain_is_named_and_nothing_is_left_half_done(string name)
    {
        await using var home = await PrepareAsync();
        var folder = Directory.GetDirectories($"{home.Home}/domains", name, SearchOption.AllDirectories).Single();
        var before = Files(home.Home);
        await RefuseAsync(home, folder, "snapshot", "create", "web", "s2");
        await RefuseAsync(home, folder, "snapshot", "revert", "web", "s1");
        Assert.Equal(before, Files(home.Home));
        await GoesOnAsync(home);
    }

    [Fact]
    public async Task A_read_only_folder_of_images_is_named_and_the_domain_stays_off()
    {
        await using var home = await PrepareAsync();
        var folder = Path.Combine(home.Folder, "images");
        await RefuseAsync(home, folder, "start", "cold");
        Assert.Contains("off", await home.DoAsync("show", "cold"), StringComparison.Ordinal);
        Assert.Single(LiveDomain.Processes(home.Home));
        await home.DoAsync("start", "cold");
    }

    /// <summary>Domain <c>web</c> runs and has a snapshot; <c>cold</c> is off, with its image in a folder of its own.</summary>
    private static async Task<CliHome> PrepareAsync()
    {
        LiveDomain.Require();
        var home = new CliHome();
        var probe = await home.RunProgramAsync("unshare", "-m", "true");
        Assert.SkipWhen(probe.ExitCode != 0, "only root can make a namespace of mounts");
        Directory.CreateDirectory(Path.Combine(home.Folder, "images"));
        await home.DoAsync("define", home.Write("c.xml", CliHome.Xml("cold", await home.ImageAsync("images/cold.qcow2"))));
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", await home.ImageAsync("vda.qcow2"))));
        await home.DoAsync("start", "web");
        await home.DoAsync("snapshot", "create", "web", "s1");
        return home;
    }

    private static Task<CommandRun> ReadOnlyAsync(CliHome home, string folder, params string[] arguments) => home.RunProgramAsync(
        "unshare",
        [
            "-m", "sh", "-c", "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"",
            folder, Path.Combine(AppContext.BaseDirectory, "coppice"), .. arguments,
        ]);

    private static async Task RefuseAsync(CliHome home, string folder, params string[] arguments)
    {
        var run = await ReadOnlyAsync(home, folder, arguments);
        var what = $"coppice {string.Join(' ', arguments)} with {folder} read-only ended with {run.ExitCode}: {run.Errors}";
        Assert.True(run.ExitCode is > 0 and < 128, what);
        Assert.All([folder, Why, WayOut], part => Assert.True(run.Errors.Contains(part, StringComparison.Ordinal), what));
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    private static async Task GoesOnAsync(CliHome home)
    {
        Assert.Contains("running", await home.DoAsync("show", "web"), StringComparison.Ordinal);
        var next = await home.RunAsync("snapshot", "create", "web", "s2");
        Assert.DoesNotContain("interrupted", next.Errors, StringComparison.Ordinal);
        Assert.Contains("s2", await home.DoAsync("snapshot", "list", "web"), StringComparison.Ordinal);
    }

    private static string[] Files(string folder) =>
        [.. Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
