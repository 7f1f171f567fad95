using System.Globalization;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Tree;
using Coppice.Tests.Trees;

namespace Coppice.Torture;

/// <summary>The tree of a guest that runs. What it writes now cannot be read beside it, and is left out.</summary>
internal sealed class LiveOrchard(LiveDomain domain) : Orchard
{
    private static readonly string[] s_others = ["/h/cache/", "/h/run/", "/h/volume.", "/.coppice-volume", "/endpoints/"];

    public override bool HasMachine => true;

    public override string NewImage(int number) => string.Create(CultureInfo.InvariantCulture, $"{domain.Folder}/copy-{number}.qcow2");

    public override Home Open()
    {
        domain.Reopen();
        return domain.Home;
    }

    public override Task WriteAsync(Random random, IReadOnlyList<Sight> domains) => throw new InvalidOperationException("its guest does");

    public override void Dispose()
    {
    }

    protected override bool IsWritten(DomainView view, Layer layer) => view.Hypervisor.ActiveImages.ContainsValue(layer.Path);

    protected override string Read(Layer layer) => GuestDisk.Fingerprint(layer.Path, layer.Format, layer.Inside?.Tag);

    protected override string? ReadMemory(ShortId process) => null;

    /// <summary>That it fits the disks the guest itself tells, when it goes on from there.</summary>
    protected override string? ReadMemory(MemoryImage memory, LayerGraph graph) => memory.File is { } path && new FileInfo(path) is { Exists: true } file
        ? string.Create(CultureInfo.InvariantCulture, $"{file.Length} {file.LastWriteTimeUtc:O}")
        : memory.File is null ? null : throw new FileNotFoundException(memory.File);

    protected override IEnumerable<string> Present() =>
        Directory.EnumerateFiles(domain.Folder, "*", SearchOption.AllDirectories)
            .Where(f => Path.GetDirectoryName(f) != domain.Folder && !s_others.Any(o => f.Contains(o, StringComparison.Ordinal)) && !IsRam(f));

    /// <summary>That of a process on record, which goes with it.</summary>
    private bool IsRam(string file) => Path.GetExtension(file) == DomainFolder.RamSuffix && Directory.EnumerateDirectories($"{domain.HomePath}/domains")
        .Select(d => new CatalogStore(new DomainFolder(new HomeFolder(domain.HomePath), d)))
        .Any(store => store.Exists && store.Read().Processes.Contains(new ShortId(Path.GetFileNameWithoutExtension(file))));

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
}
