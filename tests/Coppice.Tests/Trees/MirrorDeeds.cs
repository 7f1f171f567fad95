using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>Disks that are copied while their guest writes to them: nothing that anybody can return to changes.</summary>
internal static class MirrorDeeds
{
    public static IReadOnlyList<Deed> All { get; } =
    [
        new("disk copy", d => new CopyDisk(d.Domain, d.Disk, d.Scene.Orchard.NewImage(d.Random.Next(100_000))) { Shallow = d.Chance(2), Format = ImageFormat.Qcow2 })
        {
            NeedsMachine = true, When = s => s.IsAlive && !s.HasMirrors,
        },
        new("disk commit", d => new CommitDisk(d.Domain, d.Disk)) { NeedsMachine = true, When = s => s.IsAlive && !s.HasMirrors },
        new("copy ends", d => new EndMirror(d.Domain, d.Mirror, d.One(Enum.GetValues<MirrorEnd>()))) { Weight = 12, NeedsMachine = true, When = s => s.HasMirrors },
    ];
}
