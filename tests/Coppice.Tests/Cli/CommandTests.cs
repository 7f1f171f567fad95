using Coppice.Core;

namespace Coppice.Tests.Cli;

public sealed class CommandTests
{
    [Fact]
    public async Task A_domain_is_created_without_XML()
    {
        using var desk = new Desk();
        desk.AddImage("/images/a.qcow2");
        desk.AddImage("/images/b.img");

        Desk.Succeeded(await desk.TypeAsync(
            "create", "web", "--disk", "/images/a.qcow2", "--disk", "raw:/images/b.img", "--memory", "2G", "--vcpus", "3",
            "--forward", "2222:22", "--kernel", "/boot/vmlinuz", "--append", "quiet"));

        var definition = DomainXml.Parse((await desk.TypeAsync("dumpxml", "web")).AsPrinted);
        Assert.Equal(["/images/a.qcow2", "/images/b.img"], definition.Disks.Select(d => d.Source));
        Assert.Equal([ImageFormat.Qcow2, ImageFormat.Raw], definition.Disks.Select(d => d.Format));
        Assert.Equal((2L << 30, 3), (definition.Memory.Bytes, definition.VirtualCpus));
        Assert.Equal(("/boot/vmlinuz", null, "quiet"), (definition.Os.Kernel, definition.Os.Initrd, definition.Os.CommandLine));
        Assert.Equal([new PortRange(2222, 2222, 22)], definition.Devices.OfType<NetworkDevice>().Single().Forwards.Single().Ranges);
    }

    [Theory]
    [InlineData("", new[] { "user" })]
    [InlineData("--network none", new string[0])]
    [InlineData("--network user --forward 2222:22", new[] { "user" })]
    [InlineData("--network bridge=br0", new[] { "br0" })]
    [InlineData("--network tap=tap7", new[] { "tap7" })]
    public async Task A_domain_is_created_on_networks(string options, string[] networks)
    {
        using var desk = new Desk();
        desk.AddImage("/images/a.qcow2");
        Desk.Succeeded(await desk.TypeAsync(
            ["create", "web", "--disk", "/images/a.qcow2", "--memory", "1G", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]));
        var cards = DomainXml.Parse((await desk.TypeAsync("dumpxml", "web")).AsPrinted).Devices.OfType<NetworkDevice>();
        Assert.Equal(networks, cards.Select(c => c.Tap?.Bridge ?? c.Tap?.Name ?? "user"));
    }

    [Fact]
    public async Task A_disk_is_of_the_type_that_its_image_has()
    {
        using var desk = new Desk();
        desk.AddImage("/images/a.qcow2");
        foreach (var device in new[] { "/dev/vg/lv", "/srv/link-to-a-device" })
        {
            desk.AddImage(device);
            desk.Host.State = desk.Host.State.With(device, i => i with { Format = ImageFormat.Raw, Type = StorageType.Block });
        }

        Desk.Succeeded(await desk.TypeAsync(
            "create", "web", "--disk", "/images/a.qcow2", "--disk", "/dev/vg/lv", "--disk", "raw:/srv/link-to-a-device", "--memory", "64M"));
        var definition = DomainXml.Parse((await desk.TypeAsync("dumpxml", "web")).AsPrinted);
        Assert.Equal([StorageType.File, StorageType.Block, StorageType.Block], definition.Disks.Select(d => d.Type));
        Assert.Equal([ImageFormat.Qcow2, ImageFormat.Raw, ImageFormat.Raw], definition.Disks.Select(d => d.Format));
        Assert.Equal(2, (await desk.TypeAsync("create", "db", "--disk", "qcow2:/dev/vg/lv", "--memory", "64M")).ExitCode);
        Assert.Equal(3, (await desk.TypeAsync("create", "db", "--disk", "/dev/vg/gone", "--memory", "64M")).ExitCode);
    }

    [Fact]
    public async Task A_definition_is_read_from_standard_input()
    {
        using var desk = new Desk();

        Desk.Succeeded(await desk.TypeAsync("\uFEFF<domain type='qemu'><name>web</name><memory>65536</memory><os><type>hvm</type></os></domain>", ["define", "-"]));

        Assert.Equal(0, (await desk.TypeAsync("show", "web")).ExitCode);
    }

    [Fact]
    public async Task A_document_that_is_missing_endless_or_no_text_is_refused()
    {
        using var desk = new Desk();

        Assert.Equal(3, (await desk.TypeAsync("define", "/nosuch/file.xml")).ExitCode);
        Assert.Equal(9, (await desk.TypeAsync("define", "/dev/zero")).ExitCode);
        Assert.Equal(10, (await desk.TypeAsync("define", "/")).ExitCode);
        Assert.Equal(2, (await desk.TypeAsync("define", desk.File("latin1.xml", [0x3C, 0xE4, 0xF6]))).ExitCode);
        Assert.Equal(2, (await desk.TypeAsync("define", desk.File("broken.xml", "<domain"))).ExitCode);
    }

    [Fact]
    public async Task A_domain_goes_through_its_states()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        var states = new List<string>();
        foreach (var line in new[] { "start web --paused", "resume web", "pause web", "resume web", "reboot web", "reset web", "stop web --timeout 5", "start web", "kill web", "start web", "stop web --no-wait", "start web", "save web", "save web --discard" })
        {
            await desk.DoAsync(line);
            states.Add((await desk.TypeAsync("show", "web", "--json")).Json.GetProperty("domain").GetProperty("state").GetString()!);
        }

        Assert.Equal(["paused", "running", "paused", "running", "running", "running", "off", "running", "off", "running", "off", "running", "saved", "off"], states);
    }

    [Fact]
    public async Task Filters_of_one_kind_add_up_and_of_different_kinds_narrow()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        await desk.DoAsync(
            "snapshot create web off", "start web", "snapshot create web on", "snapshot create web disks --disk-only",
            "snapshot revert web on", "snapshot create web side");

        Task<string> Names(string filters) => desk.NamesAsync($"snapshot list web --name {filters}".Trim());
        Assert.Equal("off on disks side", await Names(""));
        Assert.Equal("off", await Names("--roots"));
        Assert.Equal("disks side", await Names("--leaves"));
        Assert.Equal("off on", await Names("--no-leaves"));
        Assert.Equal("off", await Names("--inactive"));
        Assert.Equal("on side", await Names("--active"));
        Assert.Equal("disks", await Names("--disk-only"));
        Assert.Equal("on disks side", await Names("--active --disk-only"));
        Assert.Equal("side", await Names("--active --leaves"));
        Assert.Equal("", await Names("--internal"));
        Assert.Equal("off on disks side", await Names("--external --topological"));
        Assert.Equal("disks side", await Names("--from on"));
        Assert.Equal("disks side", await desk.NamesAsync("snapshot children web on"));
        Assert.Equal("on", await desk.NamesAsync("snapshot parent web side"));
        Assert.Equal("side", await desk.NamesAsync("snapshot current web"));
    }

    [Fact]
    public async Task What_is_not_there_is_an_error_that_says_so()
    {
        using var desk = new Desk();
        await desk.DefineAsync();

        Assert.Equal(3, (await desk.TypeAsync("snapshot", "current", "web")).ExitCode);
        await desk.DoAsync("snapshot create web one");
        Assert.Equal(3, (await desk.TypeAsync("snapshot", "parent", "web", "one")).ExitCode);
        Assert.Equal(3, (await desk.TypeAsync("snapshot", "show", "web", "two")).ExitCode);
        Assert.Equal(4, (await desk.TypeAsync("snapshot", "create", "web", "one")).ExitCode);
        Assert.Equal(7, (await desk.TypeAsync("undefine", "web")).ExitCode);
        await desk.DoAsync("start web");
        Assert.Equal(6, (await desk.TypeAsync("snapshot", "create", "web", "--quiesce", "--disk-only")).ExitCode);
        Assert.Equal(5, (await desk.TypeAsync("start", "web")).ExitCode);
    }

    [Fact]
    public async Task A_snapshot_is_renamed_described_and_made_current()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        await desk.DoAsync(
            "snapshot create web one", "snapshot create web two", "snapshot rename web one first",
            "snapshot edit web first --description words", "snapshot current web first");

        var first = (await desk.TypeAsync("snapshot", "show", "web", "first", "--json")).Json.GetProperty("snapshot");
        Assert.Equal("words", first.GetProperty("description").GetString());
        Assert.True(first.GetProperty("isCurrent").GetBoolean());
    }

    [Fact]
    public async Task A_disk_is_resized()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        Assert.Equal(2, (await desk.TypeAsync("disk", "resize", "web", "vda", "20")).ExitCode);
        Assert.Equal(3, (await desk.TypeAsync("disk", "resize", "web", "vdz", "20G")).ExitCode);
        Desk.Succeeded(await desk.TypeAsync("disk", "resize", "web", "vda", "20G", "--plan"));
        await desk.DoAsync("disk resize web vda 20G");
        Assert.Equal(7, (await desk.TypeAsync("disk", "resize", "web", "vda", "10G")).ExitCode);
    }

    [Fact]
    public async Task A_disk_is_attached_and_detached()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        const string image = "/images/more.qcow2";
        desk.AddImage(image);
        Assert.Equal(2, (await desk.TypeAsync("disk", "attach", "web", image, "--bus", "floppy")).ExitCode);
        Assert.Equal(4, (await desk.TypeAsync("disk", "attach", "web", image, "--target", "vda")).ExitCode);
        Desk.Succeeded(await desk.TypeAsync("disk", "attach", "web", image, "--plan"));
        await desk.DoAsync($"disk attach web {image} --serial one --read-only");
        Assert.Equal(3, (await desk.TypeAsync("disk", "detach", "web", "vdz")).ExitCode);
        await desk.DoAsync("disk detach web vdb");
        Assert.Equal(3, (await desk.TypeAsync("disk", "detach", "web", "vdb", "--discard")).ExitCode);
    }

    [Fact]
    public async Task A_domain_is_renamed()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        await desk.DoAsync("rename web shop");
        Desk.Succeeded(await desk.TypeAsync("show", "shop"));
        Assert.Equal(3, (await desk.TypeAsync("show", "web")).ExitCode);
    }

    [Fact]
    public async Task A_domain_says_something_about_itself()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        Desk.Succeeded(await desk.TypeAsync("edit", "web", "--title", "The shop", "--description", "Sells things.\nAsk Ada."));
        var shown = (await desk.TypeAsync("show", "web", "--json")).Json.GetProperty("domain");
        Assert.Equal(("The shop", "Sells things.\nAsk Ada."), (shown.GetProperty("title").GetString(), shown.GetProperty("description").GetString()));
        Assert.Contains("The shop", (await desk.TypeAsync("show", "web")).Output, StringComparison.Ordinal);
        Assert.Equal(2, (await desk.TypeAsync("edit", "web")).ExitCode);
        Assert.Equal(2, (await desk.TypeAsync("edit", "web", "--title", "one\ntwo")).ExitCode);
        Assert.Equal(3, (await desk.TypeAsync("edit", "nowhere", "--title", "x")).ExitCode);
        Desk.Succeeded(await desk.TypeAsync("edit", "web", "--title", ""));
        Assert.DoesNotContain("<title>", (await desk.TypeAsync("dumpxml", "web")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_editor_changes_name_and_description()
    {
        using var desk = new Desk();
        await desk.DefineAsync();
        await desk.DoAsync("snapshot create web one --description before");

        desk.Variables["EDITOR"] = "sed -i -e s/before/after/ -e s/one/two/";
        Desk.Succeeded(await desk.TypeAsync("snapshot", "edit", "web", "one"));
        desk.Variables["VISUAL"] = "true";
        var unchanged = await desk.TypeAsync("snapshot", "edit", "web", "two");
        desk.Variables["VISUAL"] = "false";
        var failed = await desk.TypeAsync("snapshot", "edit", "web", "two");

        Assert.Equal("after", (await desk.TypeAsync("snapshot", "show", "web", "two", "--json"))
            .Json.GetProperty("snapshot").GetProperty("description").GetString());
        Assert.Equal((0, "", "coppice: neither name nor description was changed; nothing was done\n"), (unchanged.ExitCode, unchanged.Output, unchanged.Error));
        Assert.Equal(130, failed.ExitCode);
    }

    [Fact]
    public async Task A_snapshot_is_taken_as_a_document_says()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        const string Document = "<domainsnapshot><name>n</name><description>d</description><memory snapshot='no'/></domainsnapshot>";

        Desk.Succeeded(await desk.TypeAsync(Document, ["snapshot", "create", "web", "--xml", "-"]));
        Desk.Succeeded(await desk.TypeAsync("snapshot", "create", "web", "named", "--xml", desk.File("s.xml", Document)));

        Assert.Equal("n named", await desk.NamesAsync("snapshot list web --name --disk-only"));
    }

    [Fact]
    public async Task A_broken_domain_does_not_hide_the_others()
    {
        using var desk = new Desk();
        await desk.DefineAsync("web");
        await desk.DefineAsync("db");
        foreach (var root in Directory.GetFiles(desk.Home, "root.json", SearchOption.AllDirectories).Where(f => File.ReadAllText(f).Contains("\"db\"", StringComparison.Ordinal)))
        {
            await File.WriteAllTextAsync(root, "{");
        }

        var human = await desk.TypeAsync("list");
        var json = (await desk.TypeAsync("list", "--json")).Json;

        Assert.Contains("web", human.Output, StringComparison.Ordinal);
        Assert.StartsWith("coppice: ", human.Error, StringComparison.Ordinal);
        Assert.Equal("damaged", json.GetProperty("broken")[0].GetProperty("error").GetProperty("kind").GetString());
    }

    [Fact]
    public async Task Progress_goes_to_standard_error_and_only_on_a_terminal()
    {
        using var desk = new Desk();
        await desk.StartAsync();

        var piped = await desk.TypeAsync("snapshot", "create", "web", "one");
        desk.IsTerminal = true;
        var shown = await desk.TypeAsync("snapshot", "create", "web", "two");

        Assert.Equal("", piped.Error);
        Assert.Contains("checkpoint", shown.Error, StringComparison.Ordinal);
        Assert.EndsWith("\r\u001b[K", shown.Error, StringComparison.Ordinal);
    }
}
