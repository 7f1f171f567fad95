namespace Coppice.Tests.Cli;

/// <summary>What is typed to carry a domain elsewhere, and what is printed.</summary>
public sealed class ExportCommandTests
{
    [Fact]
    public async Task A_domain_goes_into_a_folder_and_comes_out_of_it_under_another_name()
    {
        using var desk = new Desk();
        await desk.DefineAsync("web");
        await desk.DoAsync("start web", "snapshot create web base", "snapshot create web next");
        var folder = desk.File("x", "") + ".export";
        var planned = await desk.TypeAsync("snapshot", "export", "web", "--to", folder, "--plan", "--json");
        Assert.Equal("snapshot export", planned.Json.GetProperty("plan").GetProperty("operation").GetString());
        Assert.False(Directory.Exists(folder));

        var exported = await desk.TypeAsync("snapshot", "export", "web", "--to", folder + "/");
        Desk.Succeeded(exported);
        Assert.StartsWith("web: exported\n", exported.Output, StringComparison.Ordinal);
        Assert.Contains("what it is now is not in the folder", exported.Output + exported.Error, StringComparison.Ordinal);
        Assert.Contains("x.export: exists already", (await desk.TypeAsync("snapshot", "export", "web", "--to", folder)).Error, StringComparison.Ordinal);

        var imported = await desk.TypeAsync("import", folder, "--name", "copy");
        Desk.Succeeded(imported);
        Assert.StartsWith("copy: imported\n", imported.Output, StringComparison.Ordinal);
        Assert.Equal("base next", await desk.NamesAsync("snapshot list copy --name"));
        Assert.Equal("saved", (await desk.TypeAsync("show", "copy", "--json")).Json.GetProperty("domain").GetProperty("state").GetString());

        Desk.Succeeded(await desk.TypeAsync("snapshot", "export", "web", "base", "--to", folder + "2"));
        Desk.Succeeded(await desk.TypeAsync("import", folder + "2", "--name", "one", "--host-files"));
        Assert.Equal("base", await desk.NamesAsync("snapshot list one --name"));
    }

    [Theory]
    [InlineData("snapshot export web", "--to")]
    [InlineData("import", "FOLDER is missing")]
    [InlineData("import /x --keep-identity --network down", "exclude each other")]
    [InlineData("import /x --network up", "write down or keep")]
    public async Task What_makes_no_sense_is_refused(string words, string problem)
    {
        using var desk = new Desk();
        var typed = await desk.TypeAsync(words.Split(' '));
        Assert.Equal(2, typed.ExitCode);
        Assert.Contains(problem, typed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_is_none_is_told()
    {
        using var desk = new Desk();
        var typed = await desk.TypeAsync("import", "/nowhere");
        Assert.Equal(3, typed.ExitCode);
        Assert.Contains("/nowhere/SHA256SUMS: does not exist; name a", typed.Error, StringComparison.Ordinal);
    }
}
