namespace Coppice.Tests.Snapshots;

/// <summary>libvirt's own schema of a snapshot.</summary>
internal static class Schema
{
    public static Task AssertValidAsync(params IEnumerable<string> documents) =>
        LibvirtSchema.AssertValidAsync("domainsnapshot.rng", documents);

    public static Task AssertInvalidAsync(params IEnumerable<string> documents) =>
        LibvirtSchema.AssertInvalidAsync("domainsnapshot.rng", [.. documents]);
}
