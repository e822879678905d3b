"""Each thing that a person can do on the page."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from .acting import drop, first_is, found, paste, searched, tiles, until
from .conftest import KINDS, VIEWS, Site, served

ALL = KINDS * VIEWS


def shop(site: Site, more: str = "") -> str:
    return f"{site.address}?c=shop{more}"


def asked(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_it_begins_with_pictures_of_the_collection(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.wait_for_selector(".tile img.here")
    assert len(found(page)) == 24
    assert f"{ALL} pictures" in page.text_content("#count")
    page.locator(".tile .picture").first.click()
    ids = searched(page)
    assert ids[0] == asked(page)["q"][0].removeprefix("id:")


def test_a_file(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.set_input_files("#file", site.pictures / "kind3-view1.png")
    assert searched(page)[0] == "kind3-view1.png"
    assert page.text_content(".tile .score") == "1.000"


def test_a_file_before_the_collection_has_answered(page: Any, site: Site) -> None:
    held: list[Any] = []
    page.route("**/v1/collections/shop", lambda route: held.append(route))
    page.goto(shop(site))
    page.set_input_files("#file", site.pictures / "kind3-view1.png")
    page.wait_for_timeout(300)
    assert page.get_attribute("body", "data-state") != "results"
    held[0].continue_()
    assert searched(page)[0] == "kind3-view1.png"


def test_drag_and_drop(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.wait_for_selector(".tile")
    drop(page, site.pictures / "kind5-view0.png", kind="dragenter")
    page.wait_for_selector("#drop:visible")
    drop(page, site.pictures / "kind5-view0.png")
    assert searched(page)[0] == "kind5-view0.png"
    assert page.is_hidden("#drop")


def test_paste(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.wait_for_selector(".tile")
    paste(page, site.pictures / "kind6-view2.png")
    assert searched(page)[0] == "kind6-view2.png"


def test_camera(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.click("#camera-button")
    page.wait_for_selector("#shoot:enabled")
    page.click("#shoot")
    assert len(searched(page)) == 20
    assert page.is_hidden("#camera")
    assert page.evaluate("document.querySelector('#camera-view').srcObject") is None  # the camera is off again


def test_words(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.wait_for_selector(".tile")
    page.fill("#text", "kind7")
    page.press("#text", "Enter")
    assert set(searched(page)) == {f"kind7-view{view}.png" for view in range(VIEWS)}
    assert "words" in page.text_content("#note")


@pytest.mark.allowed_error("status of 4")
def test_an_address_that_the_server_may_not_fetch(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.wait_for_selector(".tile")
    page.fill("#text", "http://127.0.0.1:9/cat.jpg")
    page.press("#text", "Enter")
    page.wait_for_selector("#problem:visible")
    assert "127.0.0.1" in page.text_content("#problem")


def test_what_is_no_picture(page: Any, site: Site) -> None:
    page.goto(shop(site))
    page.wait_for_selector(".tile")
    page.set_input_files("#file", {"name": "cat.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_selector("#problem:visible")
    assert "cat.png is not a picture" in page.text_content("#problem")


def test_search_on_from_a_result_and_back_along_the_trail(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    first = searched(page)
    page.locator(".tile .picture").nth(6).click()
    page.wait_for_url(lambda url: first[6] in url)
    second = searched(page)
    assert second[0] == first[6]
    assert page.locator(".step").count() == 2
    page.locator(".step").first.click()
    first_is(page, first[0])
    assert found(page) == first
    page.go_forward()
    first_is(page, second[0])
    page.reload()
    assert searched(page) == second
    assert page.locator(".step").count() == 2


def test_a_region_with_the_pointer_and_with_keys(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    whole = searched(page)
    until(page, "document.querySelector('.held img')?.naturalWidth > 0")
    page.locator(".held").scroll_into_view_if_needed()
    box = page.locator(".held").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + 0.9 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile("box="))
    shares = [float(share) for share in asked(page)["box"][0].split(",")]
    assert shares == pytest.approx([0.5, 0.5, 0.95, 0.9], abs=0.03)
    searched(page)
    until(page, "document.querySelector('.tile .score').textContent !== '1.000'")
    page.click("#whole")
    page.wait_for_url(lambda url: "box=" not in url)
    until(page, "document.querySelector('.tile .score').textContent === '1.000'")
    assert searched(page) == whole
    page.focus(".held")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("box="))
    assert [float(share) for share in asked(page)["box"][0].split(",")] == pytest.approx([0.27, 0.25, 0.77, 0.75])


def test_thumbs_go_to_the_click_log_and_refine(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    ids = searched(page)
    page.locator(".tile").nth(1).hover()
    with page.expect_response("**/v1/feedback") as answer:
        page.locator(".tile .up").nth(1).click()
    assert answer.value.ok
    sent = answer.value.request.post_data_json
    assert sent["clicks"] == [{"id": ids[1], "clicked": False, "judged": 1}]
    assert sent["shown"] == ids
    page.locator(".tile").nth(7).hover()
    page.locator(".tile .down").nth(7).click()
    assert "Good: 1, bad: 1" in page.text_content("#judged")
    page.click("#judged-go")
    page.wait_for_url(lambda url: ids[7] in url)
    searched(page)
    assert page.locator(".item").count() == 3
    assert page.locator(".item.less").count() == 1


def test_a_click_on_a_result_is_logged(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    ids = searched(page)
    with page.expect_response("**/v1/feedback") as answer:
        page.locator(".tile .picture").nth(4).click()
    assert answer.value.ok
    assert answer.value.request.post_data_json["clicks"] == [{"id": ids[4], "clicked": True, "judged": 0}]


def test_filters(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    searched(page)
    page.evaluate("document.querySelector('#options').open = true")
    page.click("#add-condition")
    page.select_option(".condition .column", "kind")
    page.select_option(".condition .value", "kind4")
    page.wait_for_url(re.compile("where="))
    tiles(page, 4)
    assert {name.split("-")[0] for name in searched(page)} == {"kind4"}
    page.select_option(".condition .column", "price")
    page.select_option(".condition .op", "<")
    page.fill(".condition .value", "13")
    page.press(".condition .value", "Enter")
    tiles(page, 3)
    page.click(".condition .icon")
    tiles(page, 20)


def test_threshold_and_the_empty_state(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    searched(page)
    page.evaluate("document.querySelector('#options').open = true")
    page.fill("#least", "1")
    tiles(page, 1)
    assert "19 below" in page.text_content("#count")
    assert asked(page)["least"] == ["1"]
    page.set_input_files("#file", site.pictures / "kind3-view1.png")
    page.wait_for_url(re.compile("image"))
    first_is(page, "kind3-view1.png")
    page.goto(shop(site, "&q=text:kind2&least=0.99"))
    page.wait_for_selector("#empty:visible")
    assert "Nothing reaches the threshold" in page.text_content("#empty")
    page.click("#empty button")
    page.wait_for_selector(".tile .score")


def test_not_the_same_and_one_of_each(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    searched(page)
    page.evaluate("document.querySelector('#options').open = true")
    page.check("#not-same")
    until(page, "document.querySelector('.tile').dataset.id !== 'kind2-view0.png'")
    page.uncheck("#not-same")
    page.select_option("#group", "kind")
    tiles(page, KINDS)
    assert len({name.split("-")[0] for name in found(page)}) == KINDS


def test_why(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    searched(page)
    page.locator(".tile").nth(1).hover()
    page.locator(".tile .why").nth(1).click()
    page.wait_for_selector("#why canvas.heat")
    assert "kind2" in page.text_content("#why-numbers")
    shades = page.evaluate(
        """() => { const c = document.querySelector('#why canvas');
        return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 3) }"""
    )
    assert min(shades) < 60 < max(shades)  # some parts are bright, others dark
    page.click("#why button")
    assert page.is_hidden("#why")


def test_more(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    first = searched(page)
    page.click("#more")
    tiles(page, 40)
    assert found(page)[:20] == first
    assert len(set(found(page))) == 40
    page.click("#more")
    tiles(page, ALL)
    page.wait_for_selector("#more", state="hidden")
    page.reload()
    tiles(page, ALL)


def test_an_address_reproduces_the_search(page: Any, site: Site, chromium: Any) -> None:
    page.goto(shop(site))
    page.set_input_files("#file", site.pictures / "kind3-view1.png")
    searched(page)
    page.fill("#text", "text")
    page.locator(".tile").nth(2).hover()
    page.locator(".tile .add").nth(2).click()
    until(page, "document.querySelectorAll('.item').length === 2")
    ids = searched(page)
    other = chromium.new_context().new_page()
    other.goto(page.url)
    # The address holds a small copy of the picture, whose scores differ in the third digit.
    again = searched(other)
    assert again[:VIEWS] == ids[:VIEWS]
    assert len(set(again) & set(ids)) >= 18
    assert other.locator(".item").count() == 2
    other.context.close()


def test_keys(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    ids = searched(page)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.closest('.tile').dataset.id") == ids[2]
    page.keyboard.press("w")
    page.wait_for_selector("#why:visible")
    page.keyboard.press("Escape")
    page.wait_for_selector("#why", state="hidden")
    page.keyboard.press("u")
    assert page.locator(".tile .up").nth(2).get_attribute("aria-pressed") == "true"
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: ids[2] in url)
    page.click("#help")
    assert page.locator("#key-list dt").count() == 8


def test_languages(page: Any, site: Site) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    searched(page)
    page.select_option("#language", "ru")
    until(page, "document.querySelector('#count').textContent.startsWith('20 результатов')")
    assert page.get_attribute("html", "lang") == "ru"
    page.select_option("#language", "zh")
    until(page, "document.querySelector('#count').textContent.includes('20 个结果')")
    page.reload()
    until(page, "document.querySelector('#count').textContent.includes('20 个结果')")
    words = page.evaluate(
        """async () => { const said = await Promise.all(['en', 'ru', 'zh'].map(name => import(`/words/${name}.js`)));
        return said.map(each => Object.entries(each.default).map(([key, text]) =>
            [key, [...JSON.stringify(text).matchAll(/\\{(\\w+)\\}/g)].map(found => found[1])])) }"""
    )
    keys = [{key: set(holes) for key, holes in each} for each in words]
    assert keys[0] == keys[1] == keys[2]


def test_themes(page: Any, site: Site, look: dict[str, Any]) -> None:
    page.goto(shop(site))
    page.wait_for_selector(".tile")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == look["color_scheme"]
    page.click("#theme")
    assert page.evaluate(theme) == "light"
    page.click("#theme")
    page.reload()
    assert page.evaluate(theme) == "dark"


def test_other_collections(page: Any, site: Site) -> None:
    page.goto(site.address)
    page.wait_for_selector(".tile")
    page.select_option("#collection", "empty")
    page.wait_for_selector("#empty:visible")
    assert "lookalike index" in page.text_content("#empty")


def test_nothing_jumps_and_nothing_overflows(page: Any, site: Site, look: dict[str, Any]) -> None:
    page.goto(shop(site, "&q=id:kind2-view0.png"))
    searched(page)
    page.wait_for_selector(".tile img.here")
    page.wait_for_timeout(300)
    shift = page.evaluate(
        """() => new Promise(done => new PerformanceObserver(list => done(
        list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({type: 'layout-shift', buffered: true})
        || setTimeout(() => done(0), 200))"""
    )
    assert shift < 0.05
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= look["viewport"]["width"]


def test_accessible(page: Any, site: Site) -> None:
    tags = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    page.goto(shop(site))
    page.wait_for_selector(".tile img.here")
    page.wait_for_timeout(200)
    assert violations(page, tags) == []
    page.goto(shop(site, "&q=id:kind2-view0.png&q=id:kind3-view0.png&w=1,-0.5"))
    searched(page)
    page.evaluate("document.querySelector('#options').open = true")
    page.click("#add-condition")
    page.locator(".tile").nth(1).hover()
    page.locator(".tile .up").nth(1).click()
    page.wait_for_timeout(300)
    assert violations(page, tags) == []
    page.locator(".tile").nth(1).hover()
    page.locator(".tile .why").nth(1).click()
    page.wait_for_selector("#why canvas.heat")
    assert violations(page, tags) == []


def violations(page: Any, options: dict[str, Any]) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {node['html'][:120]} {node['failureSummary']}" for each in found for node in each["nodes"]]


@pytest.mark.allowed_error("status of 401")
def test_a_key(page: Any, site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = tmp_path_factory.mktemp("keys") / "keys.toml"
    made = subprocess.run(
        [sys.executable, "-m", "lookalike", "keys", str(keys), "--add", "guest"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    key = made.stdout.split()[-1]
    with served("--collection", f"shop={site.collection}", "--api-keys", str(keys)) as address:
        page.goto(address)
        page.fill("#key-text", "wrong")
        page.click("#key-form button")
        page.wait_for_selector("#key-problem:visible")
        page.fill("#key-text", key)
        page.click("#key-form button")
        page.wait_for_selector(".tile img.here")
        page.locator(".tile .picture").first.click()
        assert len(searched(page)) == 20
        page.goto("about:blank")


@pytest.mark.allowed_error("ERR_CONNECTION|Failed to load|ERR_ABORTED")
def test_a_server_that_is_gone(page: Any, site: Site) -> None:
    with served("--collection", f"shop={site.collection}") as address:
        page.goto(f"{address}?c=shop&q=id:kind2-view0.png")
        searched(page)
    page.locator(".tile .picture").nth(3).click()
    page.wait_for_selector("#problem:visible")
    assert "cannot be reached" in page.text_content("#problem")
