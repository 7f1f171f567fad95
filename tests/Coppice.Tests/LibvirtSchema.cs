using Coppice.Tests.Images;

namespace Coppice.Tests;

/// <summary>libvirt's own schemas, asked through xmllint.</summary>
internal static class LibvirtSchema
{
    private const string Folder = "/usr/share/libvirt/schemas";

    public static Task AssertValidAsync(string schema, IEnumerable<string> documents) => AskAsync(schema, documents);

    /// <summary>Each is refused; xmllint names it, so that it cannot be refused for another reason.</summary>
    public static async Task AssertInvalidAsync(string schema, params string[] documents)
    {
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => AskAsync(schema, documents));
        Assert.All(documents, (document, i) =>
            Assert.True(refusal.Message.Contains($"/{i}.xml fails to validate", StringComparison.Ordinal), $"libvirt takes {document}"));
    }

    private static async Task AskAsync(string schema, IEnumerable<string> documents)
    {
        Assert.SkipUnless(File.Exists($"{Folder}/{schema}"), "libvirt's schemas (Debian package libvirt0) are not installed");
        Assert.SkipUnless(File.Exists("/usr/bin/xmllint"), "xmllint (Debian package libxml2-utils) is not installed");
        using var folder = new TempFolder();
        var files = documents.Select((document, i) =>
        {
            File.WriteAllText(folder.File($"{i}.xml"), document);
            return folder.File($"{i}.xml");
        }).ToArray();
        await Tool.RunAsync("xmllint", ["--noout", "--relaxng", $"{Folder}/{schema}", .. files]);
    }
}
