using System.Text.RegularExpressions;
using Coppice.Live.Tree;
using Coppice.Live.Witness;

namespace Coppice.Live.Cli;

/// <summary>Every command of the README is run, in its order, once the machine that it speaks of is there.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string s_root = WitnessGuest.RepositoryRoot();

    [Fact]
    public async Task Every_coppice_command_of_the_README_works()
    {
        LiveDomain.Require();
        await using var home = new CliHome();
        Directory.CreateDirectory(Path.Combine(home.Folder, "images"));
        await home.ImageAsync("images/web.qcow2");
        await home.ImageAsync("images/data.qcow2");
        home.Write("web.xml", CliHome.Xml("other", await home.ImageAsync("images/other.qcow2")));
        var commands = Commands().ToList();
        Assert.True(commands.Count > 12, "the README has lost its commands");

        // The machine is made in the middle of the page; what comes before speaks of it too.
        var made = commands.FindIndex(c => c.StartsWith("create ", StringComparison.Ordinal));
        foreach (var command in commands.Skip(made).Concat(commands.Take(made)))
        {
            // A console needs a terminal, and a server runs on; their own tests have both. A volume is not mounted by everybody.
            if (!command.StartsWith("console", StringComparison.Ordinal) && !command.StartsWith("serve", StringComparison.Ordinal)
                && (LiveVolume.Missing is null || !command.StartsWith("pool", StringComparison.Ordinal)))
            {
                var local = command.Replace("/images/", $"{home.Folder}/images/", StringComparison.Ordinal)
                    .Replace("define ", $"define {home.Folder}/", StringComparison.Ordinal);
                await home.DoAsync([.. Words().Matches(local).Select(w => w.Value.Trim('"'))]);
            }
        }
    }

    [Fact]
    public void Every_make_target_of_the_README_exists()
    {
        var makefile = File.ReadAllText(Path.Combine(s_root, "Makefile"));
        Assert.All(
            MakeTargets().Matches(File.ReadAllText(Path.Combine(s_root, "README.md"))).Select(m => m.Groups[1].Value).Distinct(),
            target => Assert.Contains($"\n{target}:", makefile, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_link_of_the_README_leads_somewhere() => Assert.All(
        Links().Matches(File.ReadAllText(Path.Combine(s_root, "README.md"))).Select(m => m.Groups[1].Value),
        link => Assert.True(Path.Exists(Path.Combine(s_root, link)), link));

    private static IEnumerable<string> Commands() => File.ReadAllLines(Path.Combine(s_root, "README.md"))
        .Where(l => l.StartsWith("coppice ", StringComparison.Ordinal))
        .Concat(InlineDefine().Matches(File.ReadAllText(Path.Combine(s_root, "README.md"))).Select(m => m.Groups[1].Value))
        .Select(l => l.Split('#')[0].Trim()["coppice ".Length..]);

    [GeneratedRegex("\"[^\"]*\"|\\S+")]
    private static partial Regex Words();

    [GeneratedRegex("(?:`|^)make ([a-z-]+)", RegexOptions.Multiline)]
    private static partial Regex MakeTargets();

    [GeneratedRegex(@"\]\(([^)#]+)\)")]
    private static partial Regex Links();

    [GeneratedRegex("`(coppice define [^`]+)`")]
    private static partial Regex InlineDefine();
}
