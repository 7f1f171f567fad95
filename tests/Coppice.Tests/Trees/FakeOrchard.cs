using System.Collections.Immutable;
using System.Globalization;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Tests.Engine;

namespace Coppice.Tests.Trees;

/// <summary>Trees on a machine that is not real: cheap, and domains run.</summary>
internal sealed class FakeOrchard(World world) : Orchard
{
    public override bool HasMachine => true;

    public World World => world;

    /// <summary>With a card and an agent; with UEFI firmware and a TPM; one of which none is defined yet.</summary>
    public override ImmutableArray<DomainDefinition> Definitions { get; } =
    [
        World.Agent() with { Devices = [.. World.Agent().Devices, new NetworkDevice()] },
        World.Definition("web2", 2) with
        {
            Os = World.Uefi(null).Os, Devices = [.. World.Definition("web2", 2).Devices, new TpmDevice { Model = TpmModel.Crb }],
        },
        World.Definition("web3", 3),
    ];

    public override NewDisk Spare => new("/images/more.qcow2", ImageFormat.Qcow2);

    public override string NewImage(int number) => $"/images/copy-{number}.qcow2";

    /// <summary>A home with two domains in it.</summary>
    /// <param name="hasVolume">Whether it has a memory volume.</param>
    public static async Task<FakeOrchard> PlantAsync(bool hasVolume = false)
    {
        var world = new World();
        if (hasVolume)
        {
            world.AddVolume();
        }

        world.Host.MergesGoOnWhenAsked = true;
        var orchard = new FakeOrchard(world) { Documents = [] };
        foreach (var disk in orchard.Definitions.SelectMany(d => d.Disks).Where(d => !world.Host.State.Images.ContainsKey(d.Source!)))
        {
            world.AddImage(disk.Source!);
        }

        foreach (var definition in orchard.Definitions[..2])
        {
            await world.RunAsync(new DefineDomain(definition));
        }

        return orchard;
    }

    /// <summary>Its guest wrote to all of its disks together, or to none yet; new firmware variables and a new TPM hold nothing.</summary>
    public override bool CanDefine(DomainDefinition definition) => definition.Disks.Select(d => world.Host.State.Last(d.Source!))
        .Concat(definition.Os.Firmware is null && definition.Tpm is null ? [] : [0L]).Distinct().Count() == 1;

    /// <summary>Also everything that the crash tests look at.</summary>
    public override void CheckFiles(IReadOnlyList<Sight> domains, Deed? deed = null)
    {
        world.ForgetRemoved();
        base.CheckFiles(domains, deed);
        world.Forgotten.UnionWith(Forgotten);
        world.Forgotten.UnionWith(Shared.Where(p => p.StartsWith("/images/", StringComparison.Ordinal)));
        Inspection.CheckAll(world);
    }

    public override Home Open() => world.Open();

    public override Task WriteAsync(Random random, IReadOnlyList<Sight> domains)
    {
        for (var tick = random.Next(3); tick > 0; tick--)
        {
            world.Host.Tick();
        }

        Assert.Equal(0, world.Host.State.Bad);
        return Task.CompletedTask;
    }

    public override void Dispose() => world.Dispose();

    protected override string Read(Layer layer) => string.Join(
        ',', layer.Inside is { } place ? world.Host.State.Read(layer.Path, place.Tag) : world.Host.State.Read(layer.Path));

    protected override string? ReadMemory(ShortId process) =>
        world.Host.State.Processes.TryGetValue(process, out var found) ? Text(found.Counter) : null;

    protected override string? ReadMemory(MemoryImage memory, LayerGraph graph)
    {
        if (memory.Layer is { } id)
        {
            var layer = graph[id];
            return Text(world.Host.State.Images[layer.Path].Internals[layer.Inside!.Tag].Memory!.Value);
        }

        return memory.File is { } file && world.Host.State.Memories[file] is { } found
            ? found.IsComplete ? Text(found.Counter) : "cut off"
            : null;
    }

    protected override IEnumerable<string> Present() =>
        Directory.EnumerateFiles(world.Path1, "*", SearchOption.AllDirectories)
            .Concat(world.Host.State.Images.Keys.Where(p => !p.StartsWith("/images/", StringComparison.Ordinal)))
            .Concat(world.Host.State.Memories.Keys).Distinct();

    protected override bool IsShared(string path) => world.Host.State.NamesOf(path).Length > 1;

    protected override IEnumerable<string> Internals(string path) => world.Host.State.Images.GetValueOrDefault(path)?.Internals.Keys ?? [];

    private static string Text(long counter) => counter.ToString(CultureInfo.InvariantCulture);
}
