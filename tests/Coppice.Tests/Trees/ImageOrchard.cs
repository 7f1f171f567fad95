using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Storage;
using Coppice.Tests.Engine;
using Coppice.Tests.Images;

namespace Coppice.Tests.Trees;

/// <summary>
/// Trees of real images, made by the real storage; their domains are off. What merges them is given; without it, what is deleted
/// stays as a layer without a name.
/// </summary>
internal sealed class ImageOrchard : Orchard
{
    private const int Blocks = 8;
    private static readonly FakeHypervisor s_none = new(new FakeHost { CanMerge = false });
    private readonly IHypervisor _hypervisor;
    private readonly List<string> _brought = [];
    private readonly string _home;

    private ImageOrchard(string folder, IHypervisor? hypervisor) =>
        (Folder, _home, _hypervisor) = (folder, $"{folder}/home", hypervisor ?? s_none);

    /// <summary>Where everything is.</summary>
    public string Folder { get; }

    public override bool HasMachine => false;

    /// <summary>One that is there already, to run operations in.</summary>
    public static ImageOrchard Enter(string folder, IHypervisor? hypervisor = null) => new(folder, hypervisor);

    public override ImmutableArray<DomainDefinition> Definitions =>
    [
        .. from number in Enumerable.Range(1, 3)
           let definition = World.Definition(number == 1 ? World.Name : $"web{number}", number)
           select definition with { Disks = [.. definition.Disks.Select(d => d with { Source = Folder + d.Source!["/images".Length..] })] },
    ];

    public override NewDisk Spare => new($"{Folder}/more.qcow2", ImageFormat.Qcow2);

    /// <summary>A home with two domains of a qcow2 disk and a raw one.</summary>
    /// <param name="folder">An empty folder, which stays.</param>
    /// <param name="hypervisor">What merges layers; null for nothing.</param>
    /// <param name="keepsDocuments">Whether snapshots may be forgotten, and put back by their documents.</param>
    public static async Task<ImageOrchard> PlantAsync(string folder, IHypervisor? hypervisor = null, bool keepsDocuments = true)
    {
        var orchard = new ImageOrchard(folder, hypervisor) { Documents = keepsDocuments ? [] : null };
        var images = orchard.Definitions.SelectMany(d => d.Disks).Select(d => (d.Source!, d.Format)).Append((orchard.Spare.Path, orchard.Spare.Format));
        foreach (var (path, format) in images)
        {
            orchard._brought.Add(path);
            await Tool.RunAsync("qemu-img", "create", "-q", "-f", Name(format), path, $"{Blocks * GuestDisk.Block}");
        }

        foreach (var definition in orchard.Definitions[..2])
        {
            await orchard.Open(s_none).RunAsync(new DefineDomain(definition), new RunOptions());
        }

        return orchard;
    }

    public override Home Open() => Open(_hypervisor);

    private Home Open(IHypervisor hypervisor) => Home.Open(new HomeOptions
    {
        Path = _home,
        Hypervisor = hypervisor,
        Storage = new FileStorage(TimeProvider.System),
        Ids = new IdSource(RandomNumberGenerator.Fill),
    });

    /// <summary>One disk of one domain gets other bytes, past Coppice; or a snapshot inside, if its image is the user's.</summary>
    public override async Task WriteAsync(Random random, IReadOnlyList<Sight> domains)
    {
        var written = domains.Where(d => !d.Catalog.Head.Disks.IsEmpty).ToArray();
        if (written.Length == 0)
        {
            return;
        }

        var (catalog, definition) = written[random.Next(written.Length)].View is var view ? (view.Catalog, view.Definition) : default;
        var disk = catalog.Head.Disks[random.Next(catalog.Head.Disks.Length)];
        var isMerged = catalog.Jobs.Any(j => j.Disk == disk.Target); // What merges it has it open.
        if (isMerged || !definition.Disks.Single(d => d.Target == disk.Target).IsWritten)
        {
            return;
        }

        var top = LayerGraph.Of(catalog)[disk.Layer];
        if (random.Next(10) == 0 && top is { Origin: LayerOrigin.User, Format: ImageFormat.Qcow2 } && !IsShared(top.Path))
        {
            var tag = $"theirs{random.Next(1000)}";
            await Tool.RunAsync("qemu-img", "snapshot", "-q", "-c", tag, top.Path);
            Forgotten.Add($"{top.Path} {tag}");
            return;
        }

        var write = string.Create(CultureInfo.InvariantCulture, $"write -P {random.Next(1, 256)} {random.Next(Blocks) * 64}k 64k");
        await Tool.RunAsync("qemu-io", "-f", Name(top.Format), "-c", write, top.Path);
    }

    public override void Dispose()
    {
    }

    protected override string Read(Layer layer) => GuestDisk.Fingerprint(layer.Path, layer.Format, layer.Inside?.Tag);

    protected override string? ReadMemory(ShortId process) => null;

    protected override string? ReadMemory(MemoryImage memory, LayerGraph graph) => null;

    protected override IEnumerable<string> Present() =>
        Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories).Except(_brought)
            .Where(f => !f.StartsWith($"{_home}/run/", StringComparison.Ordinal) && !f.StartsWith($"{_home}/cache/", StringComparison.Ordinal));

    protected override bool IsShared(string path) => HasOtherNames(path);

    protected override IEnumerable<string> Internals(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        using var image = Coppice.Images.Qcow2Image.Open(path);
        return [.. image.ReadSnapshots().Select(s => s.Name)];
    }

    private static string Name(ImageFormat format) => format is ImageFormat.Qcow2 ? "qcow2" : "raw";
}
