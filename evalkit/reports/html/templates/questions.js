"use strict";
// The list of questions: search, filters, pages, and each question as it was sent and answered.
// Whatever comes from models and data sets is put on the page as text, never as markup.
(() => {
  const PAGE = 25;
  const PAUSE_MS = 60;
  // As in evalkit.scores: from ANSWERED on, the position of the choice is added.
  const OUTCOMES = ["not asked", "failed", "unparsed", "refused", "truncated"];
  const FIRST_REPLY = 2;
  const ANSWERED = 5;
  // Places in the lists that evalkit.reports.html.question_data writes.
  const QUESTION = ["family", "place", "id", "group", "stem", "length", "choices", "right", "codes"];
  const ROW = ["order", "sample", "isRetake", "attempts", "seconds", "finishedAt", "batch", "text",
    "length", "failure", "stop", "model", "request", "message", "refusal", "tool", "input",
    "output", "cacheWritten", "cacheRead", "thinking"];

  const byId = (id) => document.getElementById(id);
  const number = (value) => value.toLocaleString("en");
  const name = (names, values) => Object.fromEntries(names.map((each, at) => [each, values[at]]));

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const foreign = (text) => make("bdi", {}, text);

  const unpack = async (element) => {
    const letters = atob(element.textContent);
    const bytes = new Uint8Array(letters.length);
    for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  };
  const parts = (kind) => Array.from(document.querySelectorAll(`script[data-part="${kind}"]`));

  // What came of a question.

  // Of a set of choices the code is negative, with a bit for each.
  const isAnswer = (code) => code < 0 || code >= ANSWERED;
  const picksOf = (code) => {
    if (!isAnswer(code)) return [];
    if (code > 0) return [code - ANSWERED];
    return [...Array(31).keys()].filter((place) => (-code >> place) & 1);
  };
  const judge = (code, right) => {
    if (!isAnswer(code)) return OUTCOMES[code];
    const picks = picksOf(code);
    const isRight = picks.length === right.length && picks.every((each) => right.includes(each));
    return isRight ? "correct" : "wrong";
  };
  const share = (codes, right) => {
    if (!codes) return null;
    const replies = codes.filter((code) => code < 0 || code >= FIRST_REPLY);
    if (!replies.length) return null;
    return replies.filter((code) => judge(code, right) === "correct").length / replies.length;
  };
  const toneOf = (outcome) => ({ correct: "good", wrong: "bad" })[outcome] || "open";
  const labelOf = (run, place) => (run.labels === "digits" ? String(place + 1)
    : String.fromCharCode(65 + place));
  const labelsOf = (run, code) => picksOf(code).map((place) => labelOf(run, place)).join(" ");

  // What was sent. A placeholder is filled in once: braces in a value stay as they are.

  const fill = (text, values) => text.replace(/\{([a-z_]+)\}/g,
    (whole, key) => (Object.hasOwn(values, key) ? values[key] : whole));
  const writeOut = (question, run, order) => {
    const places = order || question.choices.map((_, at) => at);
    const lines = places.map((place, at) => fill(run.choice,
      { label: labelOf(run, at), text: question.choices[place] }));
    return fill(run.template,
      { stem: question.stem, choices: lines.join("\n"), group: question.group || "" });
  };

  const start = async () => {
    const [frame] = await Promise.all(parts("frame").map(unpack));
    const replyParts = parts("replies");
    const pictureParts = new Map();
    const questions = [];
    const loaded = await Promise.all(parts("questions").map(async (element) => {
      const values = await unpack(element);
      element.remove();
      return values;
    }));
    loaded.forEach((values, part) => values.forEach((each, slot) => {
      questions.push({ ...name(QUESTION, each), part, slot });
    }));
    questions.sort((a, b) => a.family - b.family || a.place - b.place);
    const runs = frame.runs;
    const memberOf = frame.families.map((family) => new Map(
      family.runs.map((run, member) => [run, member])));
    const codesOf = (question, run) => {
      const member = memberOf[question.family].get(run);
      return member === undefined ? null : question.codes[member];
    };

    // Pictures are unpacked when the first one is shown.
    let pictures = null;
    const findPictures = () => {
      pictures = pictures || Promise.all(parts("picture").map(unpack)).then((found) => {
        found.forEach((each) => pictureParts.set(each.digest, each));
      });
      return pictures;
    };
    const replies = new Map();
    const findReplies = async (question) => {
      if (!replies.has(question.part)) {
        replies.set(question.part, unpack(replyParts[question.part]));
      }
      const [sent, rows, cluster] = (await replies.get(question.part))[question.slot];
      return { sent, cluster,
        rows: rows.map((some) => some && some.map((row) => row && name(ROW, row))) };
    };

    // Notices.

    const tell = (text) => byId("question-notices").append(make("p", { class: "notice" }, text));
    const [flipped, notRight, right] = frame.shown;
    const total = flipped[1] + notRight[1] + right[1];
    if (questions.length < total) {
      const say = ([shown, all]) => (shown === all ? `all ${number(all)}`
        : `${number(shown)} of ${number(all)} drawn at random`);
      tell(`Not all questions are in this file, to keep it small: ${number(questions.length)} of `
        + `${number(total)} are. Of those that flipped between runs ${say(flipped)}; of others `
        + `that are not all right ${say(notRight)}; of those that all runs have right `
        + `${say(right)}. Counts and filters below are of these; all numbers above are of all.`);
    }
    if (frame.picturesLeftOut) {
      tell(`${number(frame.picturesLeftOut)} pictures are left out, to keep this file small.`);
    }
    const silent = runs.filter((run) => !run.keepsText).map((run) => `(${run.number})`);
    if (silent.length) {
      tell(`Texts of questions and replies were not kept by ${silent.join(", ")}.`);
    }

    // Filters.

    const controls = { search: byId("question-search"), benchmark: byId("question-benchmark"),
      subject: byId("question-subject"), run: byId("question-run"),
      outcome: byId("question-outcome"), flip: byId("question-flip") };
    const offer = (select, options) => {
      select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    };
    offer(controls.benchmark, [["", "all"],
      ...frame.families.map((family, at) => [String(at), family.benchmark])]);
    byId("benchmark-field").hidden = frame.families.length < 2;
    const subjects = [...new Set(questions.map((each) => each.group))].filter((each) => each);
    subjects.sort();
    offer(controls.subject, [["", "all"], ...subjects.map((each, at) => [String(at), each])]);
    byId("subject-field").hidden = subjects.length < 2;
    const isMixed = frame.families.length > 1;
    const nameRun = (run) => {
      const family = frame.families.find((each) => each.runs.includes(run));
      return `(${runs[run].number}) ${runs[run].name}${isMixed ? `, ${family.benchmark}` : ""}`;
    };
    offer(controls.run, [["", "any"], ...runs.map((_, run) => [String(run), nameRun(run)])]);
    offer(controls.outcome, [["", "any"], ["not correct", "not correct"], ["correct", "correct"],
      ["wrong", "wrong"], ...[...OUTCOMES].reverse().map((each) => [each, each])]);
    const shortly = (run) => `(${runs[run].number})`;
    offer(controls.flip, [["", "any question"], ["flipped", "between any two runs"],
      ...frame.pairs.flatMap(([before, after], at) => [
        [`${at} loss`, `right in ${shortly(before)}, worse in ${shortly(after)}`],
        [`${at} gain`, `right in ${shortly(after)}, worse in ${shortly(before)}`]])]);
    byId("flip-field").hidden = runs.length < 2;

    const isFlipped = (question) => {
      const known = question.codes.map((codes) => share(codes, question.right))
        .filter((each) => each !== null);
      return new Set(known).size > 1;
    };
    const flips = (question, [before, after], kind) => {
      const first = share(codesOf(question, before), question.right);
      const second = share(codesOf(question, after), question.right);
      if (first === null || second === null) return false;
      return kind === "loss" ? second < first : second > first;
    };
    const hasOutcome = (question, codes, wanted) => codes && codes.some((code) => {
      const outcome = judge(code, question.right);
      return wanted === "not correct" ? outcome !== "correct" : outcome === wanted;
    });
    const textOf = (question) => {
      if (question.haystack === undefined) {
        question.haystack = [question.id, question.stem, ...question.choices]
          .join("\n").toLowerCase();
      }
      return question.haystack;
    };
    const chooseQuestions = () => {
      const words = controls.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const tests = [];
      const { benchmark, subject, run, outcome, flip } = controls;
      if (benchmark.value) tests.push((each) => each.family === Number(benchmark.value));
      if (subject.value) {
        const wanted = subjects[Number(subject.value)];
        tests.push((each) => each.group === wanted);
      }
      if (run.value || outcome.value) {
        tests.push((each) => {
          const some = run.value ? [codesOf(each, Number(run.value))] : each.codes;
          return some.some((codes) => (outcome.value ? hasOutcome(each, codes, outcome.value)
            : codes !== null && codes !== undefined));
        });
      }
      if (flip.value === "flipped") tests.push(isFlipped);
      else if (flip.value) {
        const [at, kind] = flip.value.split(" ");
        tests.push((each) => flips(each, frame.pairs[Number(at)], kind));
      }
      if (words.length) {
        tests.push((each) => words.every((word) => textOf(each).includes(word)));
      }
      return tests.length ? questions.filter((each) => tests.every((test) => test(each)))
        : questions;
    };

    // The list.

    const list = byId("question-list");
    let chosen = questions;
    let page = 0;

    const describePick = (question, run, codes) => {
      if (codes.length > 1) {
        const correct = codes.filter((code) => judge(code, question.right) === "correct").length;
        const tone = correct === codes.length ? "good" : correct ? "open" : "bad";
        return [`${correct} of ${codes.length}`, tone, "right"];
      }
      const outcome = judge(codes[0], question.right);
      const label = isAnswer(codes[0]) ? labelsOf(run, codes[0]) : outcome;
      return [label, toneOf(outcome), isAnswer(codes[0]) ? outcome : ""];
    };
    const MARKS = { good: "\u2713", bad: "\u2717", open: "\u2013" };
    const listPicks = (question) => frame.families[question.family].runs.flatMap((run, member) => {
      const codes = question.codes[member];
      if (!codes) return [];
      const [label, tone, word] = describePick(question, runs[run], codes);
      return [make("span", { class: `pick ${tone}`, title: runs[run].name },
        `(${runs[run].number}) ${label} `, make("span", { "aria-hidden": "true" }, MARKS[tone]),
        make("span", { class: "only-read" }, `${word}; `))];
    });
    const sayNone = (question) => (frame.families[question.family].runs
      .some((run) => runs[run].keepsText) ? "(empty)" : "(text not kept)");
    const firstWords = (text) => (text.length > 300 ? `${text.slice(0, 300)} \u2026` : text);
    const addressOf = (question) => `#q=${encodeURIComponent(question.id)}`
      + (isMixed ? `&b=${question.family}` : "");

    const showItem = (question, at) => {
      const detail = make("div", { class: "detail", id: `detail-${at}`, hidden: "" });
      const meta = [isMixed ? frame.families[question.family].benchmark : null, question.group,
        question.id].filter((each) => each).join(" \u00b7 ");
      const button = make("button", { type: "button", class: "opener", "aria-expanded": "false",
        "aria-controls": detail.id },
      make("span", { class: "stem" }, foreign(firstWords(question.stem) || sayNone(question))),
      make("span", { class: "meta" }, foreign(meta)),
      make("span", { class: "picks" }, ...listPicks(question)));
      button.addEventListener("click", () => toggle(question, button, detail, true));
      const item = make("li", {}, make("h3", {}, button), detail);
      item.question = question;
      return item;
    };
    const toggle = async (question, button, detail, isNoted) => {
      const isOpen = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!isOpen));
      detail.hidden = isOpen;
      if (isNoted) {
        history.replaceState(null, "", isOpen ? "#questions" : addressOf(question));
      }
      if (isOpen || detail.childNodes.length) return;
      detail.append(make("p", { class: "muted" }, "\u2026"));
      const found = await findReplies(question);
      const needed = found.sent.some((each) => JSON.stringify(
        typeof each === "number" ? frame.requests[each] : each).includes('"type":"image"'));
      if (needed) await findPictures();
      detail.replaceChildren(...showDetail(question, found));
    };
    const showPage = () => {
      const last = Math.max(0, Math.ceil(chosen.length / PAGE) - 1);
      page = Math.min(Math.max(page, 0), last);
      const first = page * PAGE;
      const some = chosen.slice(first, first + PAGE);
      list.setAttribute("start", first + 1);
      list.replaceChildren(...some.map((each, at) => showItem(each, first + at)));
      byId("question-count").textContent = `${number(chosen.length)} of `
        + `${number(questions.length)} questions`;
      byId("page-number").textContent = `${number(page + 1)} of ${number(last + 1)}`;
      byId("page-back").disabled = page === 0;
      byId("page-on").disabled = page === last;
      byId("question-pages").hidden = last === 0;
    };
    const search = () => {
      chosen = chooseQuestions();
      page = 0;
      showPage();
    };
    const turn = (step) => {
      page += step;
      showPage();
      byId("questions-title").scrollIntoView();
    };

    // One question.

    const showBlock = (block, text) => {
      if (typeof block === "string") return make("pre", { class: "text", dir: "auto" }, block);
      if (block.type === "question") return make("pre", { class: "text", dir: "auto" }, text);
      if (block.type === "image") {
        const found = pictureParts.get(block.digest);
        if (!found || found.missing) {
          return make("p", { class: "muted" }, "Picture: ",
            foreign(found ? found.missing : "not in this file"));
        }
        return make("img", { src: `data:${found.type};base64,${found.data}`,
          alt: "Picture of the question" });
      }
      return make("pre", { class: "text", dir: "auto" }, JSON.stringify(block.value));
    };
    const showTurn = (role, blocks, text, note = "") => make("div", { class: `turn ${role}` },
      make("div", { class: "role" }, role + note), ...blocks.map((each) => showBlock(each, text)));

    const showRequest = (question, run, request, orders) => {
      const found = [];
      if (request.system.length) found.push(showTurn("system", request.system));
      if (request.earlier.length) {
        const count = request.earlier.length;
        found.push(make("details", {}, make("summary", {}, `${count} earlier turns`),
          ...request.earlier.map((each) => showTurn(each.role, each.blocks))));
      }
      const ending = (turns, at) => (at === turns.length - 1 && turns[at].role === "assistant"
        ? ", begun for the model, which goes on behind the last character" : "");
      const showLast = (order) => request.last.map((each, at) => showTurn(each.role, each.blocks,
        writeOut(question, run, order), ending(request.last, at)));
      found.push(...showLast(orders[0]));
      for (const order of orders.slice(1)) {
        const words = order.map((place) => labelOf(run, place)).join(" ");
        found.push(make("details", {}, make("summary", {}, `With its choices as ${words}`),
          ...showLast(order)));
      }
      found.push(make("details", {}, make("summary", {}, "Other fields of the request"),
        make("pre", { class: "text", dir: "auto" }, JSON.stringify(request.others, null, 1))));
      return found;
    };

    // Runs that were sent the same word by word are told of together.
    const showSent = (question, found) => {
      const groups = new Map();
      frame.families[question.family].runs.forEach((run, member) => {
        const sent = found.sent[member];
        if (sent === null) return;
        const request = typeof sent === "number" ? frame.requests[sent] : sent;
        const { others, ...rest } = request;
        const { labels, template, choice } = runs[run];
        const orders = new Map((found.rows[member] || []).filter((row) => row)
          .map((row) => [JSON.stringify(row.order), row.order]));
        if (!orders.size) orders.set("null", null);
        const key = JSON.stringify([rest, labels, template, choice, [...orders.keys()]]);
        if (!groups.has(key)) {
          groups.set(key, { run: runs[run], request, orders: [...orders.values()], others: [],
            members: [] });
        }
        groups.get(key).members.push(`(${runs[run].number})`);
        groups.get(key).others.push(others);
      });
      if (!groups.size) {
        return [make("h4", {}, "Sent"),
          make("p", { class: "muted" }, "The runs' folders do not say what was sent.")];
      }
      return [...groups.values()].flatMap((each, at) => {
        const title = `As sent to ${each.members.join(", ")}`;
        const shown = showRequest(question, each.run, { ...each.request, others: each.others },
          each.orders);
        return at === 0 ? [make("h4", {}, title), ...shown]
          : [make("details", {}, make("summary", {}, title), ...shown)];
      });
    };

    const showTable = (title, heads, rows, kind = "") => make("div", { class: `table ${kind}`,
      tabindex: "0",
      role: "region", "aria-label": title },
    make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th",
      { scope: "col" }, head)))), make("tbody", {}, ...rows)));
    const cell = (...children) => make("td", {}, ...children);

    const showChoices = (question) => {
      const family = frame.families[question.family];
      const rows = question.choices.map((text, place) => {
        const who = family.runs.flatMap((run, member) => {
          const count = (question.codes[member] || [])
            .filter((code) => picksOf(code).includes(place)).length;
          if (!count) return [];
          return [`(${runs[run].number})${count > 1 ? ` \u00d7 ${count}` : ""}`];
        });
        const isRight = question.right.includes(place);
        return make("tr", {}, make("th", { scope: "row" }, labelOf(runs[family.runs[0]], place)),
          cell(make("span", { class: "text", dir: "auto" }, text || sayNone(question))),
          cell(isRight ? make("span", { class: "tag good" }, "right") : ""),
          cell(who.join(" ") || "\u2013"));
      });
      return [make("h4", {}, "Choices"),
        showTable("Choices", ["Label", "Choice", "Right", "Picked by"], rows,
          "narrow")];
    };

    const joined = (...words) => words.filter((each) => each).join(", ");
    const showTokens = (row) => joined(
      row.input !== null && `${number(row.input)} in`,
      row.cacheWritten && `${number(row.cacheWritten)} written to the cache`,
      row.cacheRead && `${number(row.cacheRead)} read from it`,
      row.output !== null && `${number(row.output)} out`,
      row.thinking && `${number(row.thinking)} of them thinking`);
    const showReply = (row) => {
      const whole = row.tool ? (row.text ? `${row.text}\n${row.tool}` : row.tool) : row.text;
      const found = [make("pre", { class: "text reply", dir: "auto", tabindex: "0" }, whole)];
      if (row.length) {
        found.push(make("p", { class: "muted small" }, `The first part of ${number(row.length)} `
          + "characters; the run's folder holds all of it."));
      }
      return found;
    };
    const showFacts = (run, row) => {
      const facts = row.failure
        ? [`failed: ${row.failure[0]}`, row.failure[1] && `status ${row.failure[1]}`,
          row.failure[2] && `request ${row.failure[2]}`]
        : [row.stop && `stop reason ${row.stop}`, row.refusal && `refusal: ${row.refusal}`,
          row.model && `served by ${row.model}`, row.request && `request ${row.request}`,
          row.message && `message ${row.message}`];
      facts.push(row.batch && `batch ${row.batch}`, row.isRetake && "asked again with more room",
        row.attempts > 1 && `${row.attempts} attempts`, `${row.seconds.toFixed(2)} s`,
        row.finishedAt > 0 && new Date(row.finishedAt * 1000).toISOString().slice(0, 19) + "Z");
      return make("ul", { class: "plain small circumstances" }, ...facts.filter((each) => each)
        .map((each) => make("li", {}, foreign(each))));
    };
    const showReplies = (question, found) => {
      const rows = frame.families[question.family].runs.flatMap((run, member) => {
        const codes = question.codes[member];
        if (!codes) return [];
        return codes.map((code, slot) => {
          const row = found.rows[member][slot];
          const outcome = judge(code, question.right);
          const which = [make("bdi", { class: "who" },
            `(${runs[run].number}) ${runs[run].name}`)];
          const beside = joined(runs[run].way, row && row.order
            && `order ${row.order.map((place) => labelOf(runs[run], place)).join(" ")}`,
          row && runs[run].samples > 1 && `sample ${row.sample + 1}`);
          which.push(make("div", { class: "muted small" }, beside));
          return make("tr", {}, make("th", { scope: "row" }, ...which),
            cell(make("span", { class: `tag ${toneOf(outcome)}` }, outcome)),
            cell(isAnswer(code) ? labelsOf(runs[run], code) : "\u2013"),
            cell(...(row ? (runs[run].keepsText || row.failure ? showReply(row)
              : ["(text not kept)"]) : ["\u2013"])),
            cell(row && !row.failure ? showTokens(row) : "\u2013"),
            cell(...(row ? [showFacts(runs[run], row)] : ["\u2013"])));
        });
      });
      return [make("h4", {}, "Replies"), showTable("Replies",
        ["Run", "Outcome", "Picked", "Reply", "Tokens", "Circumstances"], rows)];
    };
    const showDetail = (question, found) => {
      const link = make("a", { href: addressOf(question) }, "Link to this question");
      const facts = joined(`id ${question.id}`, question.group && `subject ${question.group}`,
        found.cluster && `cluster ${found.cluster}`);
      return [make("p", { class: "small muted" }, foreign(facts), " \u00b7 ", link),
        ...showSent(question, found), ...showChoices(question), ...showReplies(question, found)];
    };

    // A question can be named in the address.

    const openNamed = async () => {
      const wanted = new URLSearchParams(location.hash.slice(1));
      if (!wanted.has("q")) return;
      const isWanted = (each) => each.id === wanted.get("q")
        && (!wanted.has("b") || each.family === Number(wanted.get("b")));
      if (!questions.some(isWanted)) {
        byId("question-count").textContent = "The question of this address is not in this file.";
        byId("questions").scrollIntoView();
        return;
      }
      let at = chosen.findIndex(isWanted);
      if (at < 0) {
        for (const control of Object.values(controls)) control.value = "";
        chosen = questions;
        at = chosen.findIndex(isWanted);
      }
      page = Math.floor(at / PAGE);
      showPage();
      const item = list.children[at % PAGE];
      const button = item.querySelector(".opener");
      await toggle(item.question, button, item.querySelector(".detail"), false);
      item.scrollIntoView();
      button.focus({ preventScroll: true });
    };

    let waiting = 0;
    const form = byId("question-filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(search, PAUSE_MS);
    });
    form.addEventListener("reset", () => setTimeout(search, 0));
    byId("page-back").addEventListener("click", () => turn(-1));
    byId("page-on").addEventListener("click", () => turn(1));
    addEventListener("hashchange", openNamed);
    form.hidden = false;
    showPage();
    await openNamed();
    list.setAttribute("data-ready", "");
  };

  if (parts("frame").length) {
    start().catch((error) => {
      byId("question-count").textContent = "This browser can't show the questions.";
      throw error;
    });
  }
})();
