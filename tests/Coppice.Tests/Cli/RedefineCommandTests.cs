using Coppice.Contracts.Fakes;
using Coppice.Core;

namespace Coppice.Tests.Cli;

/// <summary>The flags of <c>snapshot create --xml</c>, typed.</summary>
public sealed class RedefineCommandTests
{
    [Fact]
    public async Task A_snapshot_that_was_forgotten_is_put_back_by_its_document()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one", "snapshot create web two");
        var before = (await desk.TypeAsync("snapshot", "show", "web", "two", "--json")).Output;
        var xml = desk.File("two.xml", (await desk.TypeAsync("snapshot", "dumpxml", "web", "two")).AsPrinted);
        await desk.DoAsync("snapshot delete web two --metadata");

        var planned = await desk.TypeAsync("snapshot", "create", "web", "--xml", xml, "--redefine", "--plan", "--json");
        Assert.Equal("two", planned.Json.GetProperty("plan").GetProperty("snapshot").GetProperty("name").GetString());
        Assert.Equal("one", await desk.NamesAsync("snapshot list web --name"));

        var typed = await desk.TypeAsync("snapshot", "create", "web", "--xml", xml, "--redefine", "--validate", "--current");

        Desk.Succeeded(typed);
        Assert.StartsWith("web: redefined snapshot 'two'\n", typed.Output, StringComparison.Ordinal);
        Assert.Equal(before, (await desk.TypeAsync("snapshot", "show", "web", "two", "--json")).Output);
        await desk.DoAsync("snapshot revert web two");
        Assert.Equal(0, desk.Host.State.Bad);
    }

    [Fact]
    public async Task Without_current_the_current_snapshot_stays_whatever_the_document_says_R142()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        await desk.DoAsync("snapshot create web one", "snapshot create web two");
        var xml = (await desk.TypeAsync("snapshot", "dumpxml", "web", "one")).AsPrinted;
        Assert.Contains("<active>0</active>", xml, StringComparison.Ordinal);
        Assert.Contains("<active>1</active>", (await desk.TypeAsync("snapshot", "dumpxml", "web", "two")).AsPrinted, StringComparison.Ordinal);
        xml = xml.Replace("<active>0", "<active>1", StringComparison.Ordinal)
            .Replace("<name>one</name>", "<name>one</name><description>changed</description>", StringComparison.Ordinal);

        Desk.Succeeded(await desk.TypeAsync("snapshot", "create", "web", "--redefine", "--xml", desk.File("one.xml", xml)));

        Assert.Equal("two", await desk.NamesAsync("snapshot current web"));
        Assert.Equal("changed", (await desk.TypeAsync("snapshot", "show", "web", "one", "--json")).Json.GetProperty("snapshot").GetProperty("description").GetString());
        Desk.Succeeded(await desk.TypeAsync("snapshot", "create", "web", "--redefine", "--current", "--xml", desk.File("one.xml", xml)));
        Assert.Equal("one", await desk.NamesAsync("snapshot current web"));
    }

    [Fact]
    public async Task A_document_with_anything_unknown_is_refused_before_anything_is_read_of_the_domain()
    {
        using var desk = new Desk();
        var xml = desk.File("s.xml", "<domainsnapshot>\n  <nmae>one</nmae>\n</domainsnapshot>");

        var typed = await desk.TypeAsync("snapshot", "create", "nobody", "--xml", xml, "--validate");

        Assert.Equal(2, typed.ExitCode);
        Assert.Contains("domainsnapshot XML, line 2, nmae: there is no such element", typed.Error, StringComparison.Ordinal);
        Assert.Equal(3, (await desk.TypeAsync("snapshot", "create", "nobody", "--xml", xml)).ExitCode);
    }

    [Fact]
    public async Task A_definition_with_anything_unknown_is_refused_if_that_is_asked()
    {
        using var desk = new Desk();
        var xml = desk.File("d.xml", "<domain type='qemu'><name>web</name><memory>65536</memory><os><type>hvm</type></os><flavour/></domain>");

        var typed = await desk.TypeAsync("define", xml, "--validate");

        Assert.Equal(2, typed.ExitCode);
        Assert.Contains("flavour", typed.Error, StringComparison.Ordinal);
        Desk.Succeeded(await desk.TypeAsync("define", xml));
    }

    [Fact]
    public async Task Without_metadata_no_snapshot_is_named_and_the_frozen_file_is()
    {
        using var desk = new Desk();
        await desk.StartAsync();

        var typed = await desk.TypeAsync("snapshot", "create", "web", "--disk-only", "--no-metadata");

        Desk.Succeeded(typed);
        Assert.StartsWith("web: moved on to new layers; no snapshot was recorded\n", typed.Output, StringComparison.Ordinal);
        Assert.Contains("disk 'vda' as it was is in FOLDER/web.qcow2", typed.Error, StringComparison.Ordinal);
        Assert.Equal("", await desk.NamesAsync("snapshot list web --name"));
        var json = (await desk.TypeAsync("snapshot", "create", "web", "--disk-only", "--no-metadata", "--json")).Json.GetProperty("result");
        Assert.Equal(System.Text.Json.JsonValueKind.Null, json.GetProperty("snapshot").ValueKind);
    }

    [Fact]
    public async Task An_overlay_made_beforehand_is_named_in_the_plan_and_used()
    {
        using var desk = new Desk();
        await desk.StartAsync();
        var image = desk.Host.State.Images.Keys.Single();
        desk.Host.Act("prepare", s => s with { Images = s.Images.Add("/prepared", FakeImage.Empty(ImageFormat.Qcow2, image, new ByteCount(1L << 30))) });
        string[] line = ["snapshot", "create", "web", "one", "--disk", "vda=external:/prepared", "--reuse-external"];

        Assert.Contains("use /prepared", (await desk.TypeAsync([.. line, "--plan"])).Output, StringComparison.Ordinal);
        Desk.Succeeded(await desk.TypeAsync(line));

        Assert.Contains("\"path\": \"/prepared\"", (await desk.TypeAsync("show", "web", "--json")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_the_domain_leaves_out_is_left_out_both_ways_R144()
    {
        using var desk = new Desk();
        desk.AddImage("/images/a");
        desk.AddImage("/images/b");
        var disks = string.Concat("ab".Select(d => $"""
            <disk type='file' device='disk' snapshot='{(d == 'a' ? "external" : "no")}'><driver name='qemu' type='qcow2'/>
            <source file='/images/{d}'/><target dev='vd{d}' bus='virtio'/></disk>
            """));
        var metadata = "<metadata><x:owner xmlns:x='urn:x' x:since='1'>me</x:owner></metadata>";
        Desk.Succeeded(await desk.TypeAsync("define", desk.File(
            "web.xml", $"<domain type='qemu'><name>web</name>{metadata}<memory>65536</memory><os><type>hvm</type></os><devices>{disks}</devices></domain>")));
        Desk.Succeeded(await desk.TypeAsync("snapshot", "create", "web", "--xml", desk.File("s.xml", "<domainsnapshot><name>one</name></domainsnapshot>")));

        var xml = (await desk.TypeAsync("snapshot", "dumpxml", "web", "one")).AsPrinted;
        Assert.Contains("<disk name=\"vdb\" snapshot=\"no\" />", xml, StringComparison.Ordinal);
        Assert.Contains("<disk name=\"vda\" snapshot=\"external\"", xml, StringComparison.Ordinal);

        // R143: what applications keep in the definition comes through both ways.
        Assert.Contains("""<x:owner xmlns:x="urn:x" x:since="1">me</x:owner>""", xml, StringComparison.Ordinal);
        await desk.DoAsync("snapshot delete web one --metadata");
        Desk.Succeeded(await desk.TypeAsync("snapshot", "create", "web", "--redefine", "--current", "--xml", desk.File("one.xml", xml)));
        Assert.Equal(xml, (await desk.TypeAsync("snapshot", "dumpxml", "web", "one")).AsPrinted);
    }
}
