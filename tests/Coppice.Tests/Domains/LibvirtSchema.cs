using System.Diagnostics;

namespace Coppice.Tests.Domains;

/// <summary>libvirt's own schema, judged by xmllint.</summary>
internal static class LibvirtSchema
{
    private const string Domain = "/usr/share/libvirt/schemas/domain.rng";

    /// <summary>What the schema has against these documents, all checked by one process; empty if nothing.</summary>
    public static async Task<string> ComplaintsAsync(IEnumerable<string> documents)
    {
        var xmllint = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => $"{p}/xmllint").FirstOrDefault(File.Exists);
        Assert.SkipUnless(File.Exists(Domain), $"{Domain} is missing; install libvirt0");
        Assert.SkipWhen(xmllint is null, "xmllint is missing; install libxml2-utils");
        var folder = Directory.CreateTempSubdirectory("coppice-schema-");
        try
        {
            var files = documents.Select((text, i) => (Path: $"{folder.FullName}/{i}.xml", Text: text)).ToList();
            foreach (var (path, text) in files)
            {
                await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);
            }

            var start = new ProcessStartInfo(xmllint!, ["--noout", "--relaxng", Domain, .. files.Select(f => f.Path)]) { RedirectStandardError = true };
            using var process = Process.Start(start)!;
            var complaints = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return process.ExitCode == 0 ? "" : complaints;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
