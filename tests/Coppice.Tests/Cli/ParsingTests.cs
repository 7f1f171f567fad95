using Coppice.Cli;
using Coppice.Core;

namespace Coppice.Tests.Cli;

public sealed class ParsingTests
{
    [Theory]
    [InlineData("0B", 0)]
    [InlineData("512M", 512L << 20)]
    [InlineData("2G", 2L << 30)]
    [InlineData("2g", 2L << 30)]
    [InlineData("1T", 1L << 40)]
    [InlineData("1024K", 1L << 20)]
    public void A_size_is_a_whole_number_with_its_unit(string text, long bytes) => Assert.Equal(bytes, Values.Size(text).Bytes);

    [Theory]
    [InlineData("")]
    [InlineData("2048")]
    [InlineData("M")]
    [InlineData("1.5G")]
    [InlineData("-1G")]
    [InlineData("+1G")]
    [InlineData(" 1G")]
    [InlineData("1 G")]
    [InlineData("2GB")]
    [InlineData("1,000M")]
    [InlineData("9999999999G")]
    [InlineData("99999999999999999999M")]
    public void What_could_mean_two_things_is_no_size(string text) => Assert.Throws<FormatException>(() => Values.Size(text));

    [Fact]
    public void Memory_is_kept_nowhere_in_a_disk_or_in_a_file()
    {
        Assert.Equal(new MemoryRequest(MemoryMode.None), Values.Memory("none"));
        Assert.Equal(new MemoryRequest(MemoryMode.Internal), Values.Memory("internal"));
        Assert.Equal(new MemoryRequest(MemoryMode.Internal, Disk: "vda"), Values.Memory("internal:vda"));
        Assert.Equal(new MemoryRequest(MemoryMode.External), Values.Memory("external"));
        Assert.Equal(new MemoryRequest(MemoryMode.External, "/m/a:b=c"), Values.Memory("external:/m/a:b=c"));
        Assert.Equal(new MemoryRequest(MemoryMode.External, Path.GetFullPath("m.mem")), Values.Memory("external:m.mem"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("External")]
    [InlineData("none:x")]
    [InlineData("external:")]
    [InlineData("manual")]
    public void Other_words_for_memory_are_refused(string text) => Assert.Throws<FormatException>(() => Values.Memory(text));

    [Fact]
    public void A_disk_takes_part_in_one_of_four_ways()
    {
        Assert.Equal(new DiskRequest("vda", DiskMode.None), Values.Disk("vda=none"));
        Assert.Equal(new DiskRequest("vda", DiskMode.Internal), Values.Disk("vda=internal"));
        Assert.Equal(new DiskRequest("vda", DiskMode.External), Values.Disk("vda=external"));
        Assert.Equal(new DiskRequest("vda", DiskMode.External, "/x/a=b:c"), Values.Disk("vda=external:/x/a=b:c"));
        Assert.Equal(new DiskRequest("vda", DiskMode.Manual), Values.Disk("vda=manual"));
        Assert.Equal(new DiskRequest("/images/a.qcow2", DiskMode.Manual), Values.Disk("/images/a.qcow2=manual"));
    }

    [Theory]
    [InlineData("vda")]
    [InlineData("=none")]
    [InlineData("vda=")]
    [InlineData("vda=no")]
    [InlineData("vda=internal:x")]
    [InlineData("vda=external:")]
    [InlineData("vda:external")]
    public void Other_words_for_a_disk_are_refused(string text) => Assert.Throws<FormatException>(() => Values.Disk(text));

    [Fact]
    public void The_format_of_an_image_is_stated_or_in_its_name()
    {
        Assert.Equal(new NewDisk("/a.qcow2", ImageFormat.Qcow2), Values.Image("/a.qcow2"));
        Assert.Equal(new NewDisk("/a.raw", ImageFormat.Raw), Values.Image("/a.raw"));
        Assert.Equal(new NewDisk("/a.img", ImageFormat.Qcow2), Values.Image("qcow2:/a.img"));
        Assert.Equal(new NewDisk("/a.qcow2", ImageFormat.Raw), Values.Image("raw:/a.qcow2"));
        Assert.Equal(new NewDisk("/dev/vg/lv", ImageFormat.Raw), Values.Image("/dev/vg/lv"));
        Assert.All(["/a.img", "raw:", "/a", "", "/dev/shm/a", "dev/vg/lv"], text => Assert.Throws<FormatException>(() => Values.Image(text)));
    }

    [Theory]
    [InlineData("snapshot create web --memory fast", "'fast' is not known: write none, internal[:DISK] or external[:FILE]")]
    [InlineData("snapshot create web --disk vda", "'vda' is not known: write DISK=none, internal, external[:FILE] or manual")]
    [InlineData("snapshot create web --xml x --disk vda=none", "--xml and --disk exclude each other")]
    [InlineData("snapshot create web --redefine", "--redefine needs --xml")]
    [InlineData("snapshot create web --validate", "--validate needs --xml")]
    [InlineData("snapshot create web --branch x --checkpoint y", "--checkpoint needs --current")]
    [InlineData("snapshot create web --xml x --redefine --no-metadata", "--redefine and --no-metadata exclude each other")]
    [InlineData("snapshot create web --xml x --redefine --halt", "--redefine and --halt exclude each other")]
    [InlineData("snapshot create web --xml x --redefine --live", "--redefine and --live exclude each other")]
    [InlineData("snapshot create web --xml x --redefine --quiesce", "--redefine and --quiesce exclude each other")]
    [InlineData("snapshot create web --xml x --redefine --disk-only", "--redefine and --disk-only exclude each other")]
    [InlineData("snapshot create web --xml x --redefine --reuse-external", "--redefine and --reuse-external exclude each other")]
    [InlineData("snapshot create web name --xml x --redefine", "NAME and --redefine exclude each other")]
    [InlineData("snapshot import web", "--from-image or --from-chain")]
    [InlineData("snapshot delete web a b --merge --discard", "--merge and --discard exclude each other")]
    [InlineData("snapshot delete web a --merge-force --metadata", "--merge-force and --metadata exclude each other")]
    [InlineData("snapshot delete-all web --discard --discard-force", "--discard and --discard-force exclude each other")]
    [InlineData("snapshot delete web a --children --children-only", "--children and --children-only exclude each other")]
    [InlineData("snapshot delete web a --discard --direction commit", "--discard and --direction exclude each other")]
    [InlineData("snapshot delete web a --direction up", "'up' is no way to merge: write commit or stream")]
    [InlineData("gc", "needs a domain, or --all, and not both")]
    [InlineData("snapshot revert web --running --paused", "--running and --paused exclude each other")]
    [InlineData("snapshot revert web --paused --sync-time", "--paused and --sync-time exclude each other")]
    [InlineData("start web --sync-time --paused", "--paused and --sync-time exclude each other")]
    [InlineData("snapshot list web --roots --from a", "--roots and --from exclude each other")]
    [InlineData("create web --memory 2G", "Option '--disk' is required")]
    [InlineData("create web --disk a.img --memory 2G", "write raw:a.img or qcow2:a.img")]
    [InlineData("create web --disk a.raw --memory 2048", "such as 512M or 2G")]
    [InlineData("create web --disk a.raw --memory 2G --vcpus 0", "at least 1")]
    [InlineData("create web --disk a.raw --memory 2G --forward 22", "HOST:GUEST")]
    [InlineData("create web --disk a.raw --memory 2G --network bridge=", "bridge=NAME")]
    [InlineData("create web --disk a.raw --memory 2G --network nat", "write user, none, bridge=NAME or tap=NAME")]
    [InlineData("create web --disk a.raw --memory 2G --network none --network user", "contradicts")]
    [InlineData("create web --disk a.raw --memory 2G --append quiet", "--initrd and --append need --kernel")]
    [InlineData("stop web --timeout 1.5", "'1.5' is no number of seconds")]
    [InlineData("start web --pasued", "Unrecognized command or argument '--pasued'")]
    [InlineData("frobnicate", "Unrecognized command or argument 'frobnicate'")]
    [InlineData("show", "DOMAIN is missing")]
    [InlineData("", "Required command was not provided")]
    public async Task What_was_mistyped_is_named_with_the_way_to_the_help(string line, string problem)
    {
        using var desk = new Desk();

        var typed = await desk.TypeAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal((2, ""), (typed.ExitCode, typed.Output));
        Assert.StartsWith("coppice: ", typed.Error, StringComparison.Ordinal);
        Assert.Contains(problem, typed.Error, StringComparison.Ordinal);
        Assert.EndsWith("--help\n", typed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_word_that_begins_with_an_at_sign_is_a_name_and_not_a_file_with_more_words()
    {
        using var desk = new Desk();

        var typed = await desk.TypeAsync("show", $"@{desk.File("words", "--help")}");

        Assert.Equal(3, typed.ExitCode);
    }

    [Theory]
    [InlineData("qemu:///system", 0)]
    [InlineData("qemu:///session", 0)]
    [InlineData("esx://host", 6)]
    [InlineData("qemu+ssh://host/system", 6)]
    public async Task Only_the_built_in_hypervisor_can_be_connected_to(string uri, int exitCode)
    {
        using var desk = new Desk();

        Assert.Equal(exitCode, (await desk.TypeAsync("list", "--connect", uri)).ExitCode);
    }

    [Theory]
    [InlineData("/named", "/env", "/xdg", true, "/named")]
    [InlineData(null, "/env/", "/xdg", true, "/env")]
    [InlineData(null, null, "/xdg", true, "/var/lib/coppice")]
    [InlineData(null, null, "/xdg", false, "/xdg/coppice")]
    [InlineData(null, null, "relative", false, "/home/u/.local/share/coppice")]
    [InlineData(null, null, null, false, "/home/u/.local/share/coppice")]
    public void The_home_is_the_one_named_or_the_usual_one(string? named, string? variable, string? data, bool isRoot, string expected)
    {
        var variables = new Dictionary<string, string?> { ["COPPICE_HOME"] = variable, ["XDG_DATA_HOME"] = data, ["HOME"] = "/home/u" };

        Assert.Equal(expected, HomeChoice.Folder(named, v => variables.GetValueOrDefault(v), isRoot).Path);
    }

    [Fact]
    public async Task Every_command_and_option_says_what_it_does()
    {
        using var desk = new Desk();
        var pending = new Queue<string[]>([[]]);
        var seen = 0;
        while (pending.TryDequeue(out var words))
        {
            var help = (await desk.TypeAsync([.. words, "--help"])).Output;
            seen++;
            var section = "";
            foreach (var line in help.Split('\n'))
            {
                section = line.EndsWith(':') && !line.StartsWith(' ') ? line : section;
                if (section is "Options:" or "Commands:" or "Arguments:" && line.StartsWith("  ", StringComparison.Ordinal))
                {
                    Assert.Matches(@"^  \S.*  +[A-Z]", line);
                }

                if (section is "Commands:" && line.StartsWith("  ", StringComparison.Ordinal))
                {
                    pending.Enqueue([.. words, line.Trim().Split(' ')[0]]);
                }
            }
        }

        Assert.True(seen >= 30, $"{seen}");
    }
}
