using System.Collections.Immutable;
using System.Globalization;
using Coppice.Live.Witness;

namespace Coppice.Live.Peers;

/// <summary>
/// docs/virsh.md: a script of commands, run by each virsh against libvirtd and against <c>coppice serve</c>. With
/// <c>COPPICE_VIRSH</c> the page is written there instead of compared, and <c>virsh/not-yet.txt</c> anew;
/// <c>COPPICE_VIRSH_ANSWERS</c> names a folder for all that was answered. Nothing runs beside it, so that events come while they are
/// waited for.
/// </summary>
[Collection(nameof(VirshTests))]
[CollectionDefinition(nameof(VirshTests), DisableParallelization = true)]
public sealed class VirshTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cv-").FullName;

    [Fact]
    public async Task Coppice_answers_virsh_as_libvirtd_does_but_for_what_docs_virsh_explains()
    {
        PrivateLibvirtd.Require();
        var pairs = new List<VirshPair>();
        foreach (var client in VirshClient.All)
        {
            pairs.AddRange(await CompareAsync(
                client, async () => await PrivateLibvirtd.StartAsync($"{_folder}/l"), async () => await CoppiceServe.StartAsync($"{_folder}/c")));
        }

        var meant = new VirshVerdict(pairs, KnownDifference.ReadMeant());
        await NoteAsync("differences.txt", [meant.Complaint]);
        var path = Environment.GetEnvironmentVariable("COPPICE_VIRSH") ?? "";
        if (path.Length > 0)
        {
            await KnownDifference.WriteNotYetAsync(meant.Unexplained);
        }

        var verdict = new VirshVerdict(pairs, [.. KnownDifference.ReadMeant(), .. KnownDifference.ReadNotYet()]);
        Assert.True(verdict.Complaint is "", verdict.Complaint);
        var page = new VirshPage(verdict).ToString();
        if (path.Length > 0)
        {
            await File.WriteAllTextAsync(path, page);
        }
        else
        {
            Assert.Equal(await File.ReadAllTextAsync(Path.Combine(WitnessGuest.RepositoryRoot(), "docs/virsh.md")), page);
        }
    }

    [Fact]
    public async Task Libvirtd_does_not_differ_from_itself()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("COPPICE_TEST_ALL") is { Length: > 0 }, "it shows that the comparison is fair: make test-full");
        PrivateLibvirtd.Require();
        foreach (var client in VirshClient.All)
        {
            var pairs = await CompareAsync(
                client, async () => await PrivateLibvirtd.StartAsync($"{_folder}/a"), async () => await PrivateLibvirtd.StartAsync($"{_folder}/b"));
            Assert.Equal("", string.Concat(pairs.Where(p => !p.Changes.IsEmpty)));
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task<ImmutableArray<VirshPair>> CompareAsync(VirshClient client, Func<Task<VirshPeer>> one, Func<Task<VirshPeer>> two)
    {
        var answers = await Task.WhenAll(VirshSession.RunAsync(client, one), VirshSession.RunAsync(client, two));
        foreach (var (name, said) in new[] { ("one", answers[0]), ("other", answers[1]) })
        {
            await NoteAsync($"{name}-{client.Version}.txt", said.SelectMany(a => (string[])[$"$ virsh {a.Line.Text}", $"exit {a.ExitCode}", .. a.Text, ""]));
            await NoteAsync(
                $"{name}-{client.Version}.times",
                said.OrderByDescending(a => a.Elapsed).Select(a => string.Create(CultureInfo.InvariantCulture, $"{a.Elapsed.TotalMilliseconds:0} {a.Line.Text}")));
        }

        return VirshComparison.Compare(client, answers[0], answers[1]);
    }

    private static Task NoteAsync(string name, IEnumerable<string> lines) =>
        Environment.GetEnvironmentVariable("COPPICE_VIRSH_ANSWERS") is { Length: > 0 } folder
            ? File.WriteAllLinesAsync(Path.Combine(folder, name), lines)
            : Task.CompletedTask;
}
