using Coppice.Tests.Images;

namespace Coppice.Tests.Snapshots;

/// <summary>libvirt's own schema, asked through xmllint.</summary>
internal static class Schema
{
    private const string Path = "/usr/share/libvirt/schemas/domainsnapshot.rng";

    public static async Task AssertValidAsync(params IEnumerable<string> documents)
    {
        Assert.SkipUnless(File.Exists(Path), "libvirt's schemas (Debian package libvirt0) are not installed");
        Assert.SkipUnless(File.Exists("/usr/bin/xmllint"), "xmllint (Debian package libxml2-utils) is not installed");
        using var folder = new TempFolder();
        var files = documents.Select((document, i) =>
        {
            File.WriteAllText(folder.File($"{i}.xml"), document);
            return folder.File($"{i}.xml");
        }).ToArray();
        await Tool.RunAsync("xmllint", ["--noout", "--relaxng", Path, .. files]);
    }
}
